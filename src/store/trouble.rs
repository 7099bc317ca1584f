//! Errors of disks and databases as faults.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use artifactapi_core::fault::{Fault, Kind};

/// When to try a store again that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The folder of objects, or what is around it, failed.
pub(crate) fn disk(error: impl Display) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the blob store failed", error).retry_after(PAUSE)
}

/// The catalog failed.
pub(crate) fn catalog(error: impl Display) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the catalog failed", error).retry_after(PAUSE)
}

/// What a store holds makes no sense; only damage or a defect explains it.
pub(crate) fn damaged(what: &'static str, cause: impl Display) -> Fault {
    Fault::ours(Kind::Internal, what, cause)
}

/// Runs disk work where it may block.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(disk),
        Err(crash) => Err(damaged("a disk operation crashed", crash)),
    }
}
