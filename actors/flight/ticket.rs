//! Tickets: one client's view of a flight.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::port::ByteStream;
use artifactapi_store::spool::Spool;
use tokio::sync::watch;

use super::reader::Reader;
use super::{Fetched, Progress, Stage};

/// A share in a flight. It keeps the spooled bytes alive, not the flight.
#[derive(Clone)]
pub struct Ticket {
    /// Whether this caller's request began the flight.
    pub leader: bool,
    progress: watch::Receiver<Progress>,
    spool: Arc<Spool>,
    held_head: Duration,
}

impl Ticket {
    /// A share of one who did not begin the flight. A head that has arrived is held back no longer than `held_head`.
    pub(crate) fn new(progress: watch::Receiver<Progress>, spool: Arc<Spool>, held_head: Duration) -> Self {
        Self {
            leader: false,
            progress,
            spool,
            held_head,
        }
    }

    /// The same share for the caller whose request began the flight.
    pub(crate) fn for_leader(&self) -> Self {
        Self {
            leader: true,
            ..self.clone()
        }
    }

    /// Whether the flight's task has gone: it ended, or it crashed.
    pub(crate) fn is_over(&self) -> bool {
        self.progress.has_changed().is_err()
    }

    /// How far the flight is now.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until an answer to the client may begin.
    ///
    /// A body that fits into the held tail waits for its verdict, one of unknown length for its first 64 KiB or its
    /// end; any other head is given as soon as it is there. The wait for upstream's head is limited by upstream's own
    /// deadlines; from the head on it is limited by a setting, 10 s by default. A fault is the flight's own, or `Internal` with
    /// [`Retry::Now`] if it crashed.
    pub async fn opening(&self) -> Result<Progress, Fault> {
        self.until(|now| now.head.is_some() || now.stage.is_end()).await?;
        let opened = tokio::time::timeout(self.held_head, self.until(|now| !now.holds_head())).await;
        opened.unwrap_or_else(|_held_long_enough| unfailed(self.progress()))
    }

    /// Waits until the body is whole and checked; storing it may go on. `Internal` where there is no body, because the
    /// stored copy is still right.
    pub async fn verified(&self) -> Result<Arc<Fetched>, Fault> {
        let now = self
            .until(|now| now.fetched.is_some() || now.stage.is_end())
            .await?;
        now.fetched.ok_or_else(bodiless)
    }

    /// Waits for the end: `Landed`, `Unstored` or `Same`.
    pub async fn settled(&self) -> Result<Progress, Fault> {
        self.until(|now| now.stage.is_end()).await
    }

    /// The bytes, or those of `span`, as they arrive; to the end of the body where `span` reaches beyond it.
    ///
    /// The last 64 KiB of the object come only once it is verified. The stream errs when the flight fails or
    /// crashes, whatever was delivered before, so that a cut body never looks complete.
    pub fn body(&self, span: Option<Range<u64>>) -> ByteStream {
        Reader::new(self.progress.clone(), Arc::clone(&self.spool), span).stream()
    }

    async fn until(&self, reached: impl FnMut(&Progress) -> bool) -> Result<Progress, Fault> {
        let mut progress = self.progress.clone();
        let now = progress.wait_for(reached).await.map(|now| now.clone());
        unfailed(now.map_err(|_sender_gone| crashed())?)
    }
}

/// A failed flight as the fault it ended with.
fn unfailed(now: Progress) -> Result<Progress, Fault> {
    if let Stage::Failed(fault) = now.stage {
        return Err(fault);
    }
    Ok(now)
}

/// There is nothing to read where a stored copy turned out to be right.
pub(super) fn bodiless() -> Fault {
    Fault::ours(
        Kind::Internal,
        "the answer has no body",
        "asked for the body of a stored copy",
    )
}

/// What followers of a flight see when its task vanished.
pub(crate) fn crashed() -> Fault {
    Fault {
        retry: Retry::Now,
        ..Fault::ours(
            Kind::Internal,
            "the fetch stopped unexpectedly",
            "a flight ended without an end",
        )
    }
}
