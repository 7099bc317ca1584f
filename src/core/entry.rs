//! Entries: one cached or hosted path of a repository, and what the catalog knows of its bytes.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::digest::Digest;
use crate::headers::Headers;
use crate::key::{Key, ObjectName};
use crate::repository::RepoId;

/// What identifies an entry: repository, canonical path, and the variant negotiated with upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// The repository.
    pub repo: RepoId,
    /// The path below it.
    pub key: Key,
    /// Negotiated with upstream; empty for most.
    pub variant: String,
}

impl EntryKey {
    /// The entry of a path without variants.
    pub fn new(repo: RepoId, key: Key) -> Self {
        Self {
            repo,
            key,
            variant: String::new(),
        }
    }
}

/// How an entry may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Never, under its name.
    Immutable,
    /// Upstream may replace it; it has a TTL.
    Mutable,
    /// Hosted here.
    Hosted,
}

impl Lifetime {
    /// Its name in the catalog and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::Mutable => "mutable",
            Self::Hosted => "hosted",
        }
    }

    /// The lifetime of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Immutable, Self::Mutable, Self::Hosted]
            .into_iter()
            .find(|l| l.as_str() == name)
    }
}

/// A stored object under its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What identifies it.
    pub id: EntryKey,
    /// SHA-256 of the stored bytes.
    pub digest: Digest,
    /// The object that holds them.
    pub object: ObjectName,
    /// Their number.
    pub size: u64,
    /// How it may change.
    pub lifetime: Lifetime,
    /// Content type, as served.
    pub media: String,
    /// Upstream's `ETag`, verbatim.
    pub etag: Option<String>,
    /// Upstream's `Last-Modified`, verbatim.
    pub last_modified: Option<String>,
    /// Further header fields that are content and replayed to clients.
    pub kept: Headers,
    /// The URL that answered in the end; base of relative references in an index. Never shown to clients.
    pub source_url: Option<String>,
    /// Whether length, digest or seal proved the bytes whole. An unproven copy lives for the mutable TTL at most.
    pub proven: bool,
    /// When the bytes were fetched or published.
    pub fetched_at: Time,
    /// When upstream last confirmed them.
    pub validated_at: Time,
    /// When they stop being fresh; `None` is never.
    pub expires_at: Option<Time>,
}

impl Entry {
    /// The strong validator that clients see: upstream's own strong tag, else one made from the digest
    /// (RFC 9110 §8.8.3). Quoted.
    pub fn client_etag(&self) -> String {
        client_etag(self.etag.as_deref(), &self.digest)
    }
}

/// See [`Entry::client_etag`].
pub fn client_etag(upstream: Option<&str>, digest: &Digest) -> String {
    match upstream {
        Some(tag) if is_strong(tag) => tag.to_owned(),
        _ => format!("\"{digest}\""),
    }
}

/// Whether a tag is a well-formed strong entity tag.
pub fn is_strong(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)))
}

/// How often and when an entry was used; kept beside it, written in batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The latest use.
    pub last_access: Time,
    /// Uses so far.
    pub hits: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_upstream_tags_are_passed_on() {
        let digest = Digest::sha256(b"");
        assert_eq!(client_etag(Some("\"abc\""), &digest), "\"abc\"");
        for weak in [None, Some("W/\"abc\""), Some("abc"), Some("\"a\"b\""), Some("\"")] {
            assert_eq!(client_etag(weak, &digest), format!("\"{digest}\""));
        }
    }
}
