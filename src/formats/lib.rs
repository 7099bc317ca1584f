//! The package types, each in one file or folder behind one trait.
//!
//! **Sans-I/O**: a format says *what*, as data, and the engine does it. No method is async, takes a pool, knows a
//! clock, or returns a type of an HTTP framework. Every method is total: arbitrary bytes give a [`Fault`], never a
//! panic, and work is bounded by the size of what comes in.

pub mod generic;
pub mod kit;
#[cfg(any(test, feature = "laws"))]
pub mod laws;
pub mod pypi;

use artifactapi_core::Fault;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::Entry;
use artifactapi_core::fault::Kind;
use artifactapi_core::plan::{Ask, At, Class, Fact, Integrity, Order, Plan, Want};
use artifactapi_core::port::ReadSeek;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::Seal;
use url::Url;

/// Every package type, in the order in which they are shown. A new type is one file and one word here.
pub static ALL: &[&dyn Format] = &[&generic::Generic, &pypi::PyPi];

/// The type of this name.
pub fn named(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.describe().name == name)
}

/// A package type.
pub trait Format: Send + Sync {
    /// What people and programs are told of the type.
    fn describe(&self) -> Describe;

    /// What a request means. Total on any input; reads nothing but the request and the repository's role.
    fn route(&self, ask: &Ask, repo: &Repo<'_>) -> Result<Plan, Fault>;

    /// The request upstream for a want.
    fn order(&self, want: &Want, repo: &Repo<'_>) -> Order {
        let _ = repo;
        let at = match want.class {
            Class::Immutable(Integrity::Told { .. }) => At::Fact,
            Class::Immutable(_) | Class::Index | Class::Mutable => At::Base(want.key.encode()),
        };
        Order {
            at,
            query: want.key.query().to_owned(),
            accept: "",
            identity: !matches!(want.class, Class::Index),
        }
    }

    /// What an answer of upstream means for this type; most follow the table.
    fn meaning(&self, want: &Want, status: u16) -> Meaning {
        let _ = want;
        match status {
            200 | 203 => Meaning::Fresh,
            304 => Meaning::Same,
            404 => Meaning::Absent(Kind::NotFound),
            410 => Meaning::Absent(Kind::Gone),
            401 => Meaning::Credentials,
            403 => Meaning::Denied,
            429 => Meaning::Quota,
            _ => Meaning::Broken,
        }
    }

    /// Judges a body while it passes: does it look whole? `None` where nothing can be said.
    fn seal(&self, want: &Want, head: &Head) -> Option<Box<dyn Seal>> {
        let _ = (want, head);
        None
    }

    /// What a stored index says about files, each name once.
    ///
    /// An index that cannot be read is a fault of kind `Broken`: it must not replace what was known before.
    fn facts(&self, want: &Want, doc: &mut dyn ReadSeek, source: &Source<'_>) -> Result<Vec<Fact>, Fault> {
        let _ = (want, doc, source);
        Ok(Vec::new())
    }

    /// The served form of a stored index. [`Derived::Source`] serves the stored bytes as they are.
    ///
    /// A function of its arguments alone, so that the result may be kept under (source digest, `want.show`).
    fn derive(&self, want: &Want, doc: &mut dyn ReadSeek, source: &Source<'_>) -> Result<Derived, Fault> {
        let _ = (want, doc, source);
        Ok(Derived::Source)
    }

    /// The thing from whose bytes this one can be made by `derive` when upstream does not have it.
    fn instead(&self, want: &Want) -> Option<Want> {
        let _ = want;
        None
    }

    /// Further response fields of the dialect for a stored object; sent with 304 too.
    fn headers(&self, want: &Want, entry: &Entry) -> Vec<(&'static str, String)> {
        let _ = (want, entry);
        Vec::new()
    }

    /// An error in the dialect: content type and body.
    fn error_body(&self, fault: &Fault) -> (&'static str, Vec<u8>) {
        ("text/plain; charset=utf-8", format!("{fault}\n").into_bytes())
    }
}

/// What a format may know of the repository it serves.
#[derive(Clone, Copy, Debug)]
pub struct Repo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it hosts instead of proxying.
    pub local: bool,
    /// Where indexes lie, for a remote: `index_url`, else `base_url`.
    pub index: Option<&'a Url>,
}

/// A stored document and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The URL that answered, after redirects; base of relative references. `None` if there was none.
    pub url: Option<&'a Url>,
    /// Content type of the stored bytes.
    pub media: &'a str,
    /// SHA-256 of the stored bytes.
    pub digest: &'a Digest,
}

/// The result of a derivation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derived {
    /// The stored bytes are served as they are.
    Source,
    /// These bytes are served.
    Bytes {
        /// Their content type.
        media: &'static str,
        /// The document.
        body: Vec<u8>,
    },
}

/// What an upstream status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Here are the bytes.
    Fresh,
    /// The copy is still right.
    Same,
    /// There is no such thing: `NotFound` or `Gone`.
    Absent(Kind),
    /// It exists and is refused.
    Denied,
    /// Our credentials are missing or wrong.
    Credentials,
    /// Too many requests.
    Quota,
    /// Upstream is in trouble.
    Broken,
}

/// What people and programs are told of a type.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Describe {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Default TTL of mutable documents, in seconds.
    pub mutable_ttl: u64,
    /// Whether a local lets other bytes replace what exists, by default.
    pub allow_overwrite: bool,
    /// Whether locals of the type exist.
    pub hosts: bool,
    /// Whether its clients follow a redirect of an artifact to another host.
    pub follows_redirects: bool,
    /// How clients are set up: client and lines in which `{url}` stands for the repository's URL, which has
    /// no slash at its end.
    pub snippets: &'static [(&'static str, &'static str)],
}
