//! The access log: takes rows from every request without ever making one wait, and writes them in batches.
//!
//! Memory is bounded: what does not fit into the channel is dropped and counted. While the catalog is away the batch
//! at hand is tried again and again; one that the catalog keeps refusing is dropped and counted in the end.

mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Addr;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::port::catalog::LogRow;
use tokio::sync::{mpsc, oneshot};

use crate::inbox::waiting;
use writer::Item;

pub(crate) use writer::Writer;

/// Rows that may wait: those of some seconds at full speed, for as long as a busy disk may take.
pub(crate) const WAITING: usize = 256 * 1024;
/// Longest wait for a flush, so that a dead catalog stops nobody.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// The way to the access log.
#[derive(Clone)]
pub struct AccessLog {
    sender: mpsc::Sender<Item>,
    dropped: Arc<AtomicU64>,
    /// Keeps the worker's mailbox open.
    _writer: Addr<Writer>,
}

impl AccessLog {
    pub(crate) fn new(sender: mpsc::Sender<Item>, dropped: Arc<AtomicU64>, writer: Addr<Writer>) -> Self {
        Self {
            sender,
            dropped,
            _writer: writer,
        }
    }

    /// Logs a request, and that it used an entry. Never blocks.
    pub fn push(&self, row: LogRow, touch: Option<Arc<EntryKey>>) {
        if self.sender.try_send(Item::Row(row, touch)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything pushed before has been written or has failed to be, at most 5 s.
    pub async fn flush(&self) {
        let (done, told) = oneshot::channel();
        let flushed = async {
            if self.sender.send(Item::Flush(done)).await.is_ok() {
                // An error means that the writer restarted; what waits stays where it is.
                told.await.ok();
            }
        };
        tokio::time::timeout(FLUSH_LIMIT, flushed).await.ok();
    }

    /// Rows lost since start, because too many waited or the catalog refused them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("waiting", &waiting(&self.sender))
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
