//! Freshness: whether a stored copy may answer, decided from the entry, the repository's rules and the time alone.
//!
//! A copy's right to answer ends when its lifetime since the last validation does, or at its stored expiry if that
//! is earlier, so changed settings hold at once. A later stored expiry is a nudge after refresh trouble: it holds
//! back further attempts for a moment, and is never mistaken for freshness when staleness is counted.

use std::time::Duration;

use crate::clock::Time;
use crate::entry::{Entry, Lifetime};

/// How long a client's `no-cache` is taken as satisfied after a validation.
const NO_CACHE_PAUSE: Duration = Duration::from_secs(30);
/// Longest rest after refresh trouble.
const NUDGE: Duration = Duration::from_mins(1);

/// The settings of a remote that freshness depends on. All times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long immutable objects count as fresh; 0 is for ever.
    pub immutable_ttl: u64,
    /// How long mutable documents and unproven copies count as fresh; 0 revalidates every time.
    pub mutable_ttl: u64,
    /// Whether a copy past its freshness answers while upstream is in trouble.
    pub stale_on_error: bool,
    /// How long past its freshness a copy may still answer; 0 is no limit.
    pub max_stale: u64,
    /// How long past its freshness a copy answers at once while a refresh runs; 0 is never.
    pub stale_while_revalidate: u64,
}

/// What to do with a stored copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Serve it.
    Fresh,
    /// Ask upstream first.
    Revalidate,
    /// Serve it now and ask upstream in the background.
    RefreshBehind,
}

/// When a copy validated at `validated_at` stops being fresh; `None` is never.
///
/// A copy that nothing has proven whole lives for the mutable TTL at most, whatever its class.
pub fn expiry(lifetime: Lifetime, proven: bool, rules: &Rules, validated_at: Time) -> Option<Time> {
    let mutable = Some(rules.mutable_ttl);
    let immutable = (rules.immutable_ttl > 0).then_some(rules.immutable_ttl);
    let ttl = match lifetime {
        Lifetime::Hosted => None,
        Lifetime::Mutable => mutable,
        Lifetime::Immutable if proven => immutable,
        Lifetime::Immutable => earlier(mutable, immutable),
    };
    ttl.map(|seconds| validated_at.plus(Duration::from_secs(seconds)))
}

/// What to do with `entry` at `now`. `no_cache` says that the client asked for a validated copy
/// (RFC 9111 §5.2.1.4); it counts for mutable documents only, and at most once per 30 s.
pub fn decide(entry: &Entry, rules: &Rules, now: Time, no_cache: bool) -> Freshness {
    let Some(end) = end(entry, rules) else {
        return Freshness::Fresh;
    };
    let demanded =
        no_cache && entry.lifetime == Lifetime::Mutable && now.since(entry.validated_at) >= NO_CACHE_PAUSE;
    let tolerated = end.plus(Duration::from_secs(rules.stale_while_revalidate));
    let resting = is_nudged(entry, rules, now) && may_serve_stale(entry, rules, now);
    if resting || (now < end && !demanded) {
        Freshness::Fresh
    } else if now < tolerated && !demanded {
        Freshness::RefreshBehind
    } else {
        Freshness::Revalidate
    }
}

/// Whether the copy may answer although upstream could not be asked. A copy that is still fresh always may.
pub fn may_serve_stale(entry: &Entry, rules: &Rules, now: Time) -> bool {
    let Some(end) = end(entry, rules).filter(|end| *end <= now) else {
        return true;
    };
    rules.stale_on_error && (rules.max_stale == 0 || now.since(end) <= Duration::from_secs(rules.max_stale))
}

/// The expiry to store after refresh trouble: a minute from now, or the mutable TTL if that is less.
pub fn nudged(rules: &Rules, now: Time) -> Time {
    now.plus(NUDGE.min(Duration::from_secs(rules.mutable_ttl)))
}

/// Seconds until the stored expiry, rounded down, negative past it; `None` for what never expires.
pub fn ttl_seconds(entry: &Entry, now: Time) -> Option<i64> {
    let end = entry.expires_at?;
    Some(end.0.saturating_sub(now.0).div_euclid(1_000_000))
}

/// When the copy's own right to answer ends, nudges left aside.
fn end(entry: &Entry, rules: &Rules) -> Option<Time> {
    let computed = expiry(entry.lifetime, entry.proven, rules, entry.validated_at);
    match entry.lifetime {
        Lifetime::Hosted => None,
        Lifetime::Mutable | Lifetime::Immutable => earlier(entry.expires_at, computed),
    }
}

/// Whether refresh trouble lately moved the stored expiry beyond the copy's lifetime. A stored expiry further away
/// than any nudge is none: it comes from older settings.
fn is_nudged(entry: &Entry, rules: &Rules, now: Time) -> bool {
    let lifetime = expiry(entry.lifetime, entry.proven, rules, entry.validated_at);
    entry.expires_at.is_some_and(|until| {
        now < until && until <= nudged(rules, now) && lifetime.is_some_and(|end| end < until)
    })
}

/// The lesser of two limits, of which either may be absent.
fn earlier<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
