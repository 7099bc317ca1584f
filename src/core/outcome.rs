//! What happened to a request: one enum for headers, metric labels, access log and events.

use crate::fault::Kind;

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Served from the store, fresh.
    Hit,
    /// Fetched from upstream for this request.
    Miss,
    /// Shared the fetch that another request had started.
    Coalesced,
    /// Upstream confirmed the stored copy.
    Revalidated,
    /// Upstream could not be asked; the stored copy was served.
    Stale,
    /// The stored copy was served while a refresh runs.
    StaleWhileRevalidate,
    /// Upstream's recent "no such thing" was repeated.
    Negative,
    /// A range far ahead of a running fetch, fetched beside it.
    RangedPast,
    /// Asked upstream and not stored (HEAD on a miss, searches).
    Relay,
    /// Hosted here.
    Local,
    /// Refused before anything was looked up.
    Denied,
    /// Failed.
    Failed(Kind),
}

impl Outcome {
    /// One word for metrics, log and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
            Self::StaleWhileRevalidate => "stale_while_revalidate",
            Self::Negative => "negative",
            Self::RangedPast => "ranged_past",
            Self::Relay => "relay",
            Self::Local => "local",
            Self::Denied => "denied",
            Self::Failed(kind) => kind.code(),
        }
    }

    /// The value of `X-Artifact-Source`: where the bytes were.
    pub fn source(self) -> Option<&'static str> {
        match self {
            Self::Hit | Self::Revalidated | Self::Stale | Self::StaleWhileRevalidate | Self::Negative => {
                Some("cache")
            }
            Self::Miss | Self::Coalesced | Self::RangedPast | Self::Relay => Some("remote"),
            Self::Local => Some("local"),
            Self::Denied | Self::Failed(_) => None,
        }
    }

    /// Whether the stored copy answered.
    pub fn is_hit(self) -> bool {
        self.source() == Some("cache")
    }

    /// The value of `Cache-Status` (RFC 9211 §2: either `hit` or `fwd`); `ttl` in seconds may be negative for a stale copy.
    pub fn cache_status(self, ttl: Option<i64>) -> String {
        let word = match self {
            Self::Hit | Self::Negative | Self::Stale | Self::StaleWhileRevalidate | Self::Local => "hit",
            Self::Miss => "fwd=uri-miss; stored",
            Self::Coalesced => "fwd=uri-miss; collapsed",
            Self::Revalidated => "fwd=stale; fwd-status=304",
            Self::RangedPast => "fwd=partial",
            Self::Relay | Self::Denied | Self::Failed(_) => "fwd=bypass",
        };
        let ttl = ttl.map(|ttl| format!("; ttl={ttl}")).unwrap_or_default();
        format!("artifactapi; {word}{ttl}; detail={}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_where_bytes_came_from() {
        assert_eq!(Outcome::Stale.source(), Some("cache"));
        assert_eq!(Outcome::Coalesced.source(), Some("remote"));
        assert_eq!(Outcome::Failed(Kind::Timeout).source(), None);
        assert_eq!(
            Outcome::Hit.cache_status(Some(9)),
            "artifactapi; hit; ttl=9; detail=hit"
        );
        assert_eq!(
            Outcome::Stale.cache_status(Some(-3)),
            "artifactapi; hit; ttl=-3; detail=stale"
        );
        let confirmed = Outcome::Revalidated.cache_status(None);
        assert!(
            confirmed.contains("fwd=stale") && !confirmed.contains("hit"),
            "{confirmed}"
        );
    }
}
