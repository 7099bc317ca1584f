//! Watching the catalog: its epoch says whether what is in memory is still true.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Tools;

/// How often the epoch is read, and how soon a failed reading is repeated.
const TICK: Duration = Duration::from_millis(500);

/// Reads anew what is in memory whenever the catalog has changed or may have; a reading that failed is repeated.
pub(super) async fn keep_current(tools: Arc<Tools>, resumed: bool) {
    let mut watch = Watch {
        seen: None,
        is_stale: resumed,
        is_failing: false,
    };
    loop {
        let stale = tools.signals.stale.notified();
        if tools.epoch.is_some() || watch.is_stale {
            watch.is_stale |= timeout(TICK, stale).await.is_ok();
        } else {
            stale.await;
            watch.is_stale = true;
        }
        watch.look(&tools).await;
    }
}

struct Watch {
    /// The epoch at which what is in memory was read.
    seen: Option<i64>,
    /// What is in memory may be too old.
    is_stale: bool,
    /// The latest reading failed.
    is_failing: bool,
}

impl Watch {
    async fn look(&mut self, tools: &Tools) {
        // Read before everything else: what changes meanwhile is seen the next time.
        let epoch = self.epoch(tools).await;
        if !self.is_stale && (epoch.is_none() || epoch == self.seen) {
            return;
        }
        match (tools.renew)().await {
            Ok(()) => {
                (self.is_stale, self.is_failing) = (false, false);
                self.seen = epoch;
            }
            Err(fault) => {
                if !self.is_failing {
                    log::warn!("what the catalog says now could not be read: {fault:?}");
                }
                (self.is_stale, self.is_failing) = (true, true);
            }
        }
    }

    /// The catalog's epoch; `None` where nobody else changes it, or while it cannot be read.
    async fn epoch(&self, tools: &Tools) -> Option<i64> {
        let read = tools.epoch.as_ref()?;
        let epoch = read().await;
        epoch
            .inspect_err(|fault| log::debug!("the catalog's epoch could not be read: {fault:?}"))
            .ok()
    }
}
