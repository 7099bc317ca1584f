//! Who leads: one replica asks upstream, and the others look for what it lands.
//!
//! They see it when it is stored, not while it arrives: streaming from replica to replica is not done here. A duplicate
//! fetch is harmless and a hung client is not, so nobody waits for long.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Entry;
use tokio::time::{Instant, sleep};

use super::Flight;
use crate::lease::Lease;

/// How long a flight waits for what another replica fetches before it fetches by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between the first two looks; each is twice as long as that before.
const PAUSE: Duration = Duration::from_millis(25);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

impl Flight {
    /// The stored entry, if it has landed meanwhile: by an earlier flight, or by the replica that has the lease now.
    pub(super) async fn found(&mut self, lease: Option<&Lease>) -> Option<Arc<Entry>> {
        let found = match lease {
            Some(lease) => self.followed(lease).await,
            None => self.order.landing.found().await,
        };
        if found.is_some() {
            // Upstream answered somebody just now. If this flight was let through as a probe, this is its report.
            self.crew.breakers.report(self.order.repo, true);
        }
        found
    }

    /// Waits while another has the lease, and takes it when it is free.
    async fn followed(&mut self, lease: &Lease) -> Option<Arc<Entry>> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = PAUSE;
        loop {
            let taken = lease.take().await;
            // Looked up after the lease was asked for: whoever gave it back had committed before.
            if let Some(entry) = self.order.landing.found().await {
                return Some(entry);
            }
            let is_led = matches!(taken, Ok(false));
            if !is_led || Instant::now() + pause > deadline {
                return None;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests;
