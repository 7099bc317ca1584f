//! The ports of `core` implemented: blobs in a folder, the catalog on SQLite, hints in memory; and the spools that
//! bytes pass through on their way.
//!
//! Nothing here knows a package type, a request or an upstream. Every implementation passes the suite of its port.

pub mod blobs;
pub mod catalog;
#[cfg(any(test, feature = "conformance"))]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the suites are tests, called from other crates too"
)]
pub mod conformance;
pub mod failpoints;
mod folder;
pub mod hot;
pub mod lock;
pub mod memo;
pub mod spool;
pub mod tie;
mod trouble;
pub mod vault;
