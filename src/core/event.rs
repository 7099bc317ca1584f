//! Events: what watchers of the stream are told.

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// What an event is about; the `event:` field of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A fetch from upstream ended.
    Fetch,
    /// A stored copy was served.
    Hit,
    /// Something was put into or removed from a local.
    Push,
    /// Cached objects were removed.
    Evict,
    /// A repository was created, changed or deleted.
    Config,
    /// A circuit breaker changed its state.
    Breaker,
    /// A collection ran.
    Gc,
    /// Upstream bytes were wrong: corrupt, or changed under an immutable name.
    Incident,
}

impl EventKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Fetch,
        Self::Hit,
        Self::Push,
        Self::Evict,
        Self::Config,
        Self::Breaker,
        Self::Gc,
        Self::Incident,
    ];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Hit => "hit",
            Self::Push => "push",
            Self::Evict => "evict",
            Self::Config => "config",
            Self::Breaker => "breaker",
            Self::Gc => "gc",
            Self::Incident => "incident",
        }
    }
}

/// Something that happened, as told to the Events worker; it adds the id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// The repository, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remote: Option<String>,
    /// The path, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// When, in microseconds since the epoch.
    pub at: Time,
    /// One word for what came of it (an outcome, a state, a verb).
    pub outcome: String,
    /// Bytes that moved, where that means something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
}
