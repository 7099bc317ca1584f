//! Plans: what a format makes of a request, as data that the engine carries out.

use crate::clock::Time;
use crate::digest::{Alg, Digest};
use crate::headers::Headers;
use crate::key::Key;

/// Methods that formats see; HEAD is GET for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read.
    Get,
    /// Write under a given name.
    Put,
    /// Submit.
    Post,
    /// Change or append.
    Patch,
    /// Remove.
    Delete,
}

/// A request without anything a format must not depend on: host, peer, credentials.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is to be done.
    pub verb: Verb,
    /// The path below the repository.
    pub key: Key,
    /// The raw query, without the question mark.
    pub query: String,
    /// All header fields; formats read their dialect's only.
    pub headers: Headers,
}

/// The verdict of `route`.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Answered without any look-up.
    Answer(Reply),
    /// The client must ask there instead (308); a reference relative to the request's own path.
    Redirect(String),
    /// Stored bytes, derived or not.
    Serve(Want),
    /// A write to a local.
    Publish(Publish),
    /// A removal from a local.
    Delete(Want),
}

/// A small answer made on the spot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub media: String,
    /// Further fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// One thing wanted, identified so that any replica can ask for it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Names the bytes.
    pub key: Key,
    /// Negotiated with upstream: part of the entry's key.
    pub ask: Variant,
    /// Negotiated with the client: part of the derived document's key only.
    pub show: Variant,
    /// What kind of thing it is.
    pub class: Class,
    /// What policy, patterns and ledger speak of.
    pub subject: Subject,
    /// Content type where upstream's cannot be believed.
    pub media: Option<&'static str>,
    /// Whether it is a repository-wide document, which patterns never hide.
    pub service: bool,
}

impl Want {
    /// An artifact or document with nothing unusual about it.
    pub fn new(key: Key, class: Class) -> Self {
        Self {
            key,
            ask: Variant::default(),
            show: Variant::default(),
            class,
            subject: Subject::default(),
            media: None,
            service: false,
        }
    }
}

/// One of a type's few negotiated forms; empty is the usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant(pub &'static str);

/// What a thing is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Name of the package, canonical.
    pub package: Option<String>,
    /// Version of the package.
    pub version: Option<String>,
}

/// What kind of thing is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Never changes under its key.
    Immutable(Integrity),
    /// Enumerates versions or files: has a TTL, yields facts when stored, is derived on the way out.
    Index,
    /// Changes, and is served as it is.
    Mutable,
}

/// What immutable bytes must be, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// The name itself carries the digest.
    Named(Digest),
    /// An index says it, in the fact `id` of the document `owner`. No row: fetch the owner, look again.
    Told {
        /// The index that speaks of it.
        owner: Box<Want>,
        /// The fact's name within that index.
        id: String,
    },
    /// Nobody says; the first sight pins it.
    Pinned,
}

/// One request upstream, as a format asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where.
    pub at: At,
    /// The query to send, without the question mark.
    pub query: String,
    /// The `Accept` to send; empty sends `*/*`.
    pub accept: &'static str,
    /// Whether the bytes are an artifact: asked for with `identity` and never decoded blindly.
    pub identity: bool,
}

/// Where an order goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Below the remote's `base_url`: an encoded path.
    Base(String),
    /// Below the remote's `index_url`, else its `base_url`: an encoded path.
    Index(String),
    /// Where the fact of `Integrity::Told` says.
    Fact,
}

/// Something an index says about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Name of the file within its index.
    pub id: String,
    /// Where it is, absolute.
    pub url: String,
    /// What its bytes hash to, strongest first.
    pub digests: Vec<Digest>,
    /// How many bytes it has.
    pub size: Option<u64>,
    /// What the ledger calls it; empty leaves the ledger alone.
    pub subject: Subject,
    /// When its registry says it was published, and the name of that field.
    pub published: Option<(Time, String)>,
}

/// A write to a local: what is stored under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// What will be served again.
    pub want: Want,
    /// Digests the client claims for the body.
    pub claimed: Vec<Digest>,
}

impl Publish {
    /// The algorithms needed to check what the client claims.
    pub fn algorithms(&self) -> impl Iterator<Item = Alg> {
        self.claimed.iter().map(Digest::alg)
    }
}
