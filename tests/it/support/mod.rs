//! The vocabulary of the tests: an upstream that does what it is told, the program, and clients that can tell a
//! complete body from a cut one.

pub(crate) mod app;
pub(crate) mod bytes;
pub(crate) mod chaos;
pub(crate) mod client;
pub(crate) mod parts;
pub(crate) mod process;
pub(crate) mod python;
pub(crate) mod script;
pub(crate) mod servers;
pub(crate) mod setup;
pub(crate) mod sse;
pub(crate) mod store;
pub(crate) mod upstream;
mod wire;

use std::time::Duration;

/// How long anything in a test may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `probe` gives something; panics with `what` after [`PATIENCE`].
pub(crate) async fn eventually<T, F>(what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(std::time::Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
