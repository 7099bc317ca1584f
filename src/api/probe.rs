//! Probe: what would happen to a request, tried on the real upstream without storing anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The body of `POST /api/v2/probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeOrder {
    /// Name of the remote.
    pub remote: String,
    /// The path below it, as it stands in a URL.
    pub path: String,
    /// `GET` (also if absent) or `HEAD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// The answer: 200 whenever the probe itself ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Whether a client would get the object.
    pub ok: bool,
    /// The status that a client would get.
    pub status: u16,
    /// One word for what came of it.
    pub outcome: String,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
    /// How long it took.
    pub timings: Timings,
    /// The header fields of upstream's answer.
    pub headers: BTreeMap<String, String>,
    /// `immutable`, `mutable`, `index` or `answer`.
    pub class: Option<String>,
    /// The key under which it would be stored.
    pub key: Option<String>,
    /// For how many seconds it would count as fresh; `null` is for ever.
    pub ttl: Option<u64>,
    /// Whether it would be stored.
    pub would_cache: bool,
    /// The URL that answered, after redirects; without its query, which may hold a signature.
    pub final_url: Option<String>,
}

/// How long a probe took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Until the head was there; `null` if it never came.
    pub head_ms: Option<u64>,
    /// Altogether.
    pub total_ms: u64,
}
