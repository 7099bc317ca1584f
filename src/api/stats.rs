//! Statistics: what was asked, what the cache answered, what that saved.

use serde::{Deserialize, Serialize};

/// The answer of `GET /api/v2/stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Everything together.
    pub totals: Counts,
    /// Each repository that exists or was ever asked, by name.
    pub remotes: Vec<RepositoryStats>,
    /// Each hour, oldest first; hours in which nothing happened are left out.
    pub series: Vec<Point>,
}

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Requests that the stored copy answered.
    pub hits: u64,
    /// The others.
    pub misses: u64,
    /// Body bytes sent.
    pub bytes: u64,
    /// Body bytes of hits: what was not fetched again.
    pub bytes_saved: u64,
    /// Objects stored now.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
}

/// Counters of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryStats {
    /// Its name.
    pub name: String,
    /// Its counters.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Counters of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When the hour began, RFC 3339.
    pub time: String,
    /// Requests.
    pub requests: u64,
    /// Requests that the stored copy answered.
    pub hits: u64,
    /// The others.
    pub misses: u64,
    /// Body bytes sent.
    pub bytes: u64,
    /// Body bytes of hits.
    pub bytes_saved: u64,
}

/// The query of `GET /api/v2/stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// How many hours the series goes back, 1 to 8760; 168 if absent. Totals count everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}
