//! Repositories: remotes proxy, locals host. Their settings as documents of the admin API and of the catalog.

mod secrets;

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::clock::Time;

pub use self::secrets::{SEALED, Secret};

/// Identity of a repository. A re-created name gets a new one, and so starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepoId(pub Uuid);

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.simple(), f)
    }
}

/// A repository as the catalog knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Its identity.
    pub id: RepoId,
    /// Its name, unique among remotes, locals and virtuals; see [`valid_name`].
    pub name: String,
    /// The package type's name, one of the formats' list.
    pub package_type: String,
    /// What it does, with its settings.
    pub role: Role,
    /// Counts changes; the base of its `ETag`.
    pub revision: i64,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl Repository {
    /// Its settings, if it is a remote.
    pub fn remote(&self) -> Option<&RemoteSettings> {
        match &self.role {
            Role::Remote(settings) => Some(settings),
            Role::Local(_) => None,
        }
    }

    /// Its settings, if it is a local.
    pub fn local(&self) -> Option<&LocalSettings> {
        match &self.role {
            Role::Local(settings) => Some(settings),
            Role::Remote(_) => None,
        }
    }
}

/// What a repository does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Proxies and caches an upstream.
    Remote(Box<RemoteSettings>),
    /// Hosts what is published to it.
    Local(LocalSettings),
}

impl Role {
    /// `remote` or `local`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Remote(_) => "remote",
            Self::Local(_) => "local",
        }
    }
}

/// Whether a name may be a repository's: `^[a-z0-9][a-z0-9._-]{0,62}$`.
pub fn valid_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && name.len() <= 63
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

/// A further upstream, asked when those before it cannot be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Where its files begin.
    pub url: Url,
    /// Its own user name; the remote's is never sent to a mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its own password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// Settings of a remote. Defaults are those of the product; times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the remote's document"
)]
pub struct RemoteSettings {
    /// Where upstream's paths begin.
    pub base_url: Url,
    /// Where indexes lie, if elsewhere.
    #[serde(default)]
    pub index_url: Option<Url>,
    /// Fail-over, in order.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// User name for Basic authentication upstream.
    #[serde(default)]
    pub username: Option<String>,
    /// Password for Basic authentication upstream.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Bearer token for upstream; excludes a password.
    #[serde(default)]
    pub token: Option<Secret>,
    /// How long immutable objects count as fresh; 0 is for ever.
    #[serde(default)]
    pub immutable_ttl: u64,
    /// How long mutable documents count as fresh; absent means the type's default.
    #[serde(default)]
    pub mutable_ttl: Option<u64>,
    /// When not empty, only paths in which one of these is found are proxied.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Paths in which one of these is found are refused, before anything else.
    #[serde(default)]
    pub blocklist: Vec<String>,
    /// Paths that count as mutable, whatever the type says; wins over `immutable_patterns`.
    #[serde(default)]
    pub mutable_patterns: Vec<String>,
    /// Paths that count as immutable, whatever the type says.
    #[serde(default)]
    pub immutable_patterns: Vec<String>,
    /// Whether an expired document is revalidated with its validators; otherwise it is fetched anew.
    #[serde(default = "yes")]
    pub check_mutable_updates: bool,
    /// Whether a stored copy answers while upstream is in trouble.
    #[serde(default = "yes")]
    pub stale_on_error: bool,
    /// How long past its freshness a copy may still answer; 0 is no limit.
    #[serde(default)]
    pub max_stale: u64,
    /// How long past its freshness a copy answers at once while a refresh runs; 0 is never.
    #[serde(default)]
    pub stale_while_revalidate: u64,
    /// Whether other bytes under an immutable name are accepted (with an event) instead of refused.
    #[serde(default)]
    pub accept_changed: bool,
    /// Largest object in bytes; 0 is no limit.
    #[serde(default)]
    pub max_object_bytes: u64,
    /// Most bytes this remote's cache may hold; 0 is no limit. Least recently used objects go first.
    #[serde(default)]
    pub max_cache_bytes: u64,
    /// Objects not used for this long are evicted; 0 is never.
    #[serde(default)]
    pub max_unused: u64,
    /// Addresses beyond public ones that redirects and indexes may lead to: CIDRs or origins.
    #[serde(default)]
    pub allow_networks: Vec<String>,
    /// Proxy through which upstream is reached: `http`, `https` or `socks5` URL.
    #[serde(default)]
    pub egress_proxy: Option<Url>,
    /// PEM certificates trusted for this upstream besides the system's.
    #[serde(default)]
    pub ca_bundle: Option<String>,
    /// Whether anyone may read.
    #[serde(default = "yes")]
    pub anonymous_read: bool,
    /// Whether clients are sent to the store of blobs for what it holds, where it gives links.
    #[serde(default)]
    pub redirect_hits: bool,
}

impl RemoteSettings {
    /// A remote of `base_url` with every other setting at its default.
    pub fn new(base_url: Url) -> Self {
        Self {
            base_url,
            index_url: None,
            mirrors: Vec::new(),
            description: String::new(),
            username: None,
            password: None,
            token: None,
            immutable_ttl: 0,
            mutable_ttl: None,
            patterns: Vec::new(),
            blocklist: Vec::new(),
            mutable_patterns: Vec::new(),
            immutable_patterns: Vec::new(),
            check_mutable_updates: true,
            stale_on_error: true,
            max_stale: 0,
            stale_while_revalidate: 0,
            accept_changed: false,
            max_object_bytes: 0,
            max_cache_bytes: 0,
            max_unused: 0,
            allow_networks: Vec::new(),
            egress_proxy: None,
            ca_bundle: None,
            anonymous_read: true,
            redirect_hits: false,
        }
    }
}

/// Settings of a local.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalSettings {
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Whether other bytes may replace what exists; absent means the type's default.
    #[serde(default)]
    pub allow_overwrite: Option<bool>,
    /// Most bytes it may hold; 0 is no limit.
    #[serde(default)]
    pub quota_bytes: u64,
    /// Whether anyone may read.
    #[serde(default = "yes")]
    pub anonymous_read: bool,
    /// Whether clients are sent to the store of blobs for what it holds, where it gives links.
    #[serde(default)]
    pub redirect_hits: bool,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            description: String::new(),
            allow_overwrite: None,
            quota_bytes: 0,
            anonymous_read: true,
            redirect_hits: false,
        }
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "0", "pypi", "a.b_c-d", &"a".repeat(63)] {
            assert!(valid_name(good), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a/b", "ä", &"a".repeat(64)] {
            assert!(!valid_name(bad), "{bad}");
        }
    }

    #[test]
    fn defaults_in_code_and_in_documents_agree() {
        let url: Url = "http://h.example/".parse().unwrap();
        let read: RemoteSettings = serde_json::from_value(serde_json::json!({"base_url": url})).unwrap();
        assert_eq!(read, RemoteSettings::new(url));
        assert!(serde_json::from_str::<LocalSettings>(r#"{"quota":1}"#).is_err());
    }
}
