//! Objects of a repository: listing and eviction.

use serde::{Deserialize, Serialize};

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPage {
    /// The objects, in byte order of their paths.
    pub items: Vec<ObjectItem>,
    /// What to send as `after` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectItem {
    /// Path below the repository, decoded.
    pub path: String,
    /// The form negotiated with upstream, where a path has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Bytes.
    pub size: u64,
    /// `sha256:…` of the stored bytes.
    pub digest: String,
    /// Content type.
    pub content_type: String,
    /// `immutable`, `mutable` or `hosted`.
    pub class: String,
    /// When the bytes came, RFC 3339.
    pub fetched_at: String,
    /// When they stop being fresh; `null` is never.
    pub expires_at: Option<String>,
    /// The latest use; `null` if there was none.
    pub last_access: Option<String>,
    /// Uses so far.
    pub hits: u64,
}

/// The query of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectQuery {
    /// Only paths that begin so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Only paths in which this occurs; capitals count.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// How many, 1 to 1000; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The query of an eviction: exactly one of `path`, `prefix`, `pattern` and `all=true`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvictQuery {
    /// This path, in all its variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Every path that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Every path in which this regular expression is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// Whether the digests first seen under these names are forgotten too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<bool>,
}

/// The answer of an eviction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evicted {
    /// How many objects went.
    pub evicted: u64,
    /// How many bytes they had.
    pub bytes: u64,
}
