//! Collection: what may be asked of it and what it reports.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/v2/gc`; everything may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcOrder {
    /// How long what nobody names is kept, in seconds; absent means the setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// Whether it only says what it would do.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer of `GET /api/v2/gc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcStatus {
    /// The report of the last collection since start; `null` before the first.
    pub last: Option<serde_json::Value>,
}
