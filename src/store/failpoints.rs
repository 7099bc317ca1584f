//! Failpoints: places where a test makes the process die at once, before and after each effect on a store.
//!
//! Behind the feature `failpoints`, and never in a release: without it the list is empty and nothing is read or wrapped.
//! With it, three variables of the environment say what happens (they are no settings, so that no file can set them):
//!
//! - `FAILPOINT=<point>` or `<point>:<n>`: the process kills itself when it passes the point for the first or n-th time,
//!   without destructors and without flushing anything, as `kill -9` would at that very moment;
//! - `FAILPOINT_FROM=<file>`: passings count from the moment when this file exists;
//! - `FAILPOINT_LOG=<file>`: each passing is appended to the file as a line, so that a test learns the points of an
//!   operation.
//!
//! A point is named `<port>.<method>.before` or `.after`; after means that the effect is done and nobody knows yet.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;

#[cfg(feature = "failpoints")]
mod ports;
#[cfg(feature = "failpoints")]
mod trigger;

/// The stores that a program works with.
pub type Ports = (Arc<dyn Catalog>, Arc<dyn Blobs>, Arc<dyn Hot>);

/// The names of all points; none where the feature is off.
pub fn all() -> &'static [&'static str] {
    #[cfg(feature = "failpoints")]
    return ports::POINTS;
    #[cfg(not(feature = "failpoints"))]
    &[]
}

/// The same stores, with their points where the environment asks for any. Fails where it names a point that is none.
pub fn armed(ports: Ports) -> Result<Ports, Fault> {
    #[cfg(feature = "failpoints")]
    if trigger::is_set(all())? {
        return Ok(ports::around(ports));
    }
    Ok(ports)
}
