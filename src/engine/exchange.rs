//! What comes in from the web layer and what goes back to it, free of any HTTP framework.

use artifactapi_core::headers::Headers;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::Verb;
use artifactapi_core::port::ByteStream;
use bytes::Bytes;

pub use crate::account::Portion;
use crate::again::Again;

/// A client's request for a repository.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own of request or connection"
)]
pub struct Exchange {
    /// What is to be done.
    pub verb: Verb,
    /// Whether only the head is wanted.
    pub head: bool,
    /// Whether the client can tell the end of a body of unknown length from a cut (chunks, HTTP/2).
    pub framed: bool,
    /// Whether an open file can be sent as it is ([`Body::File`]).
    pub files: bool,
    /// Whether it is a GET without conditions, ranges, credentials or wishes but `Accept`.
    pub plain: bool,
    /// The repository's name.
    pub repo: String,
    /// The path below the repository as it stood in the request target, undecoded.
    pub raw_path: String,
    /// The query as it stood in the request target, without the question mark.
    pub query: String,
    /// The request's fields.
    pub headers: Headers,
    /// Who asks.
    pub who: Access,
}

impl Exchange {
    /// The method's name, as the access log has it.
    pub fn method(&self) -> &'static str {
        match self.verb {
            Verb::Get if self.head => "HEAD",
            Verb::Get => "GET",
            Verb::Put => "PUT",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }

    /// Whether the client insists on an answer that upstream has confirmed (RFC 9111 §5.2.1.4, §5.4).
    pub(crate) fn wants_revalidation(&self) -> bool {
        let directive = |item: &str| {
            item.eq_ignore_ascii_case("no-cache") || item.replace(' ', "").eq_ignore_ascii_case("max-age=0")
        };
        self.headers.items("cache-control").any(directive)
            || self
                .headers
                .items("pragma")
                .any(|item| item.eq_ignore_ascii_case("no-cache"))
    }

    /// Whether the client wants a stored copy or nothing (RFC 9111 §5.2.1.7).
    pub(crate) fn only_if_cached(&self) -> bool {
        self.headers
            .items("cache-control")
            .any(|item| item.eq_ignore_ascii_case("only-if-cached"))
    }
}

/// Who asks: decided by the web layer from the credentials, before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody we know.
    Anonymous,
    /// A valid token that may read and write everything.
    Admin,
}

/// The answer to an [`Exchange`].
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// All fields but those of framing.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// What happened.
    pub outcome: Outcome,
}

/// The body of a [`Response`].
pub enum Body {
    /// Nothing, as 204 and 304 have it.
    Empty,
    /// Bytes at hand.
    Bytes(Bytes),
    /// Bytes that arrive. `Err` must cut the connection short of the end.
    Stream {
        /// Their number, if known.
        length: Option<u64>,
        /// The bytes.
        stream: ByteStream,
    },
    /// Bytes at hand, of an answer that can be given again.
    Again(Box<Again>),
    /// Bytes of a file. Only where the exchange takes files.
    File(Box<Portion>),
    /// The answer to HEAD: what the body of GET would measure, if known.
    Measured(Option<u64>),
}
