//! Words and pure decisions: what a repository, a path, an entry and an outcome are, and what follows from them.
//!
//! Nothing here does I/O or knows a runtime. The ports say what the outside must offer; the crates above fill them.

pub mod breaker;
pub mod clock;
pub mod conditional;
pub mod config;
pub mod digest;
pub mod entry;
pub mod event;
pub mod fault;
pub mod freshness;
pub mod headers;
pub mod key;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod port;
pub mod range;
pub mod repository;
pub mod seal;

pub use clock::{Clock, Time};
pub use digest::{Alg, Digest};
pub use entry::Entry;
pub use fault::Fault;
pub use headers::Headers;
pub use key::Key;
pub use outcome::Outcome;
pub use repository::{RepoId, Repository};
