//! Upstream: one request to a stranger. Redirects, credentials, egress rules, retries and resumption are its business.

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use super::{ByteStream, Result};
use crate::headers::Headers;
use crate::repository::{Mirror, RepoId, Secret};

/// The client for strangers.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Sends a request and gives the head of the answer, whatever its status; its body streams.
    ///
    /// Faults are those of the way: `Unreachable`, `Timeout`, `Egress`, `Overloaded`. A body that breaks off is
    /// resumed where that is safe; otherwise its stream ends with `Cut`.
    async fn send(&self, request: Request) -> Result<Answer>;
}

/// What upstream's identity allows: where requests may go and with which credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The repository it belongs to; connections are not shared across these.
    pub repo: RepoId,
    /// Counts its changes, so that clients are rebuilt.
    pub revision: i64,
    /// The remote's own roots; its credentials go to these origins only.
    pub roots: Vec<Url>,
    /// Credentials for the roots.
    pub credentials: Credentials,
    /// Further upstreams with their own credentials.
    pub mirrors: Vec<Mirror>,
    /// Networks and origins allowed beside public addresses.
    pub allow_networks: Vec<String>,
    /// Proxy to go through.
    pub egress_proxy: Option<Url>,
    /// PEM certificates trusted besides the system's.
    pub ca_bundle: Option<String>,
}

/// How we identify ourselves to an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    #[default]
    Anonymous,
    /// User name and password (RFC 7617).
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// Bearer token (RFC 6750).
    Bearer(Secret),
}

/// Method of a request upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The bytes.
    Get,
    /// The head alone.
    Head,
}

/// A request to upstream.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose request it is.
    pub origin: Arc<Origin>,
    /// GET or HEAD.
    pub method: Method,
    /// Where to ask, in order: the next is tried when one cannot be reached or answers 5xx. Never empty.
    pub urls: Vec<Url>,
    /// Fields to send; no credentials among them.
    pub headers: Headers,
    /// How the body's coding is treated.
    pub coding: Coding,
    /// Whether the digest of the body is known, so that a break may be resumed without a strong validator.
    pub digest_known: bool,
    /// Most bytes to accept after decoding; 0 is no limit.
    pub limit: u64,
}

/// What to do about `Content-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Ask for `identity`; keep a coded body raw.
    Raw,
    /// Ask for `identity`; decode a coded body.
    Identity,
    /// Ask for `gzip` or `identity`; decode.
    Decode,
}

/// The head of an answer, and its body.
pub struct Answer {
    /// The head.
    pub head: Head,
    /// The body, decoded as asked for. Empty for HEAD and 304.
    pub body: ByteStream,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// HTTP status.
    pub status: u16,
    /// Fields, hop-by-hop ones left out.
    pub headers: Headers,
    /// The URL that answered, after redirects.
    pub url: Url,
    /// Bytes that the body must have, where the head says so and no decoding changes it.
    pub length: Option<u64>,
    /// Whether the end of the body can be told from a cut (length, chunks, HTTP/2); otherwise it is unproven.
    pub framed: bool,
}
