//! Secrets at rest: what a rotation of their keys reports.

use serde::{Deserialize, Serialize};

/// The answer of `POST /api/v2/secrets/rotate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The id of the key that seals now.
    pub key: String,
    /// Whether the keys stand in a file, which was read again. Keys from the environment are those of the start.
    pub reread: bool,
    /// Secrets that were sealed with another key and are sealed with this one now.
    pub resealed: u64,
    /// Secrets that this key had sealed before.
    pub already: u64,
    /// Secrets that stay as they are; as long as there are any, earlier keys must be kept.
    pub failed: u64,
}
