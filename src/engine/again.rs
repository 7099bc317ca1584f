//! Again: the answer to a plain read of a small stored object, kept by the web layer and given again to whoever asks the
//! same, without any work but to look whether it still holds: the repository unchanged, the entry the same and fresh.
//!
//! Nothing needs to be told when something changes, since every change gives a new mount or another entry.

use std::sync::{Arc, Weak};

use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::freshness::{self, Freshness};
use artifactapi_core::outcome::Outcome;
use artifactapi_core::port::catalog::LogRow;
use bytes::Bytes;

use crate::Engine;
use crate::exchange::{Body, Exchange, Response};
use crate::table::Mount;

/// Larger bodies are not kept.
pub(crate) const LARGEST: u64 = 64 << 10;

/// An answer that can be given again.
#[derive(Clone)]
pub struct Again {
    body: Bytes,
    entry: Arc<Entry>,
    /// The entry's key, for the log.
    used: Arc<EntryKey>,
    /// Where it is from and under which path, once it is known to be a plain one. Nothing keeps the mounts of earlier
    /// settings alive.
    place: Option<(Weak<Mount>, Arc<str>)>,
}

/// What differs from one time to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// `Age`, in seconds.
    pub age: u64,
    /// Seconds until it stops being fresh; `None` is never.
    pub ttl: Option<i64>,
}

impl Dated {
    /// `Cache-Status` of a hit.
    pub fn cache_status(self) -> String {
        Outcome::Hit.cache_status(self.ttl)
    }
}

impl Again {
    /// The whole of a stored object, or of a document made from it alone.
    pub(crate) fn new(body: Bytes, entry: Arc<Entry>) -> Self {
        Self {
            body,
            used: Arc::new(entry.id.clone()),
            entry,
            place: None,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Engine {
    /// Whether an answer still holds; if so the request counts as answered with it.
    pub fn again(&self, again: &Again) -> Option<Dated> {
        let (mount, path) = again.place.as_ref()?;
        let (mount, shared) = (mount.upgrade()?, &self.shared);
        let (now, entry) = (shared.clock.now(), &again.entry);
        let holds = shared.table.is_in_force(&mount)
            && shared.shelf.holds(entry)
            && freshness::decide(entry, &mount.rules, now, false) == Freshness::Fresh;
        if !holds {
            return None;
        }
        let row = LogRow {
            at: now,
            repo: Arc::clone(&mount.name),
            method: "GET",
            path: Arc::clone(path),
            status: 200,
            outcome: Outcome::Hit.as_str(),
            hit: true,
            bytes: again.body.len() as u64,
            micros: u64::try_from(shared.clock.now().since(now).as_micros()).unwrap_or_default(),
        };
        self.tell_hit(&row);
        (shared.observer)(&row);
        shared.handles.log.push(row, Some(Arc::clone(&again.used)));
        Some(Dated {
            age: now.since(entry.validated_at).as_secs(),
            ttl: freshness::ttl_seconds(entry, now),
        })
    }
}

/// Keeps what can be given again in the shape for that, and makes mere bytes of the rest.
pub(crate) fn sift(response: &mut Response, x: &Exchange, mount: Option<&Arc<Mount>>) {
    let Body::Again(again) = &mut response.body else {
        return;
    };
    let plain = x.plain && response.status == 200 && response.outcome == Outcome::Hit;
    match mount.filter(|mount| plain && mount.anonymous_read()) {
        Some(mount) => {
            again.place = Some((Arc::downgrade(mount), crate::serve::loggable(&x.raw_path).into()));
        }
        None => response.body = Body::Bytes(again.body.clone()),
    }
}
