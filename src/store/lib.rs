//! The ports of `core` implemented: blobs in a folder, the catalog on SQLite, hints in memory; and the spools that
//! bytes pass through on their way.
//!
//! Nothing here knows a package type, a request or an upstream. Every implementation passes the suite of its port.

mod folder;
pub mod spool;
