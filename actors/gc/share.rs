//! Whose turn it is, among replicas.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{GcReport, GcRequest, Tools};

/// How often another's lease is looked at.
const LOOK: Duration = Duration::from_millis(250);

impl Tools {
    /// A collection while no other replica collects; `None` if one does for longer than `patience`.
    pub(super) async fn collect_alone(&self, request: GcRequest, patience: Duration) -> Option<GcReport> {
        // One of this process runs at a time, so one number does.
        let lease = self.leases.lease("gc".to_owned(), 0);
        let Some(lease) = lease.filter(|_| !request.dry_run) else {
            return Some(self.collect(request).await);
        };
        let deadline = Instant::now() + patience;
        while let Ok(false) = lease.take().await {
            if Instant::now() >= deadline {
                return None;
            }
            sleep(LOOK).await;
        }
        let report = lease.during(self.collect(request)).await;
        lease.give_back().await;
        Some(report)
    }
}

#[cfg(test)]
mod tests;
