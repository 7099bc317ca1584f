//! Flights: one upstream fetch in progress that any number of clients share.
//!
//! The bytes go into a spool with one writer; a `watch` says how far it is. Nobody is sent chunks, so a slow or late
//! reader costs the others nothing. A flight knows no package type: what a head means and how bytes become an entry
//! is told to it by the [`Landing`] of its order.

mod reader;
mod ticket;

use std::sync::Arc;

use artifactapi_core::digest::Digests;
use artifactapi_core::port::upstream::{Head, Request};
use artifactapi_core::seal::Seal;
use artifactapi_core::{Digest, Entry, Fault, RepoId};
use artifactapi_store::spool::Spool;
use async_trait::async_trait;

pub use ticket::Ticket;
pub(crate) use ticket::crashed;

/// Bytes at the end of an object that nobody gets before the whole of it has been checked.
pub const TAIL: u64 = 64 * 1024;

/// Everything a flight needs: what to ask upstream, what the bytes must be, and what to do with them.
pub struct FetchOrder {
    /// What is fetched; equal keys share one flight.
    pub key: String,
    /// The remote it is for.
    pub repo: RepoId,
    /// Its name, for events.
    pub repo_name: String,
    /// The path below it, for events.
    pub path: String,
    /// The request to send.
    pub request: Request,
    /// Digests that the bytes must have, all of them.
    pub digests: Vec<Digest>,
    /// The size in bytes that they must have.
    pub size: Option<u64>,
    /// What becomes of them.
    pub landing: Box<dyn Landing>,
}

/// What becomes of a fetch; the engine's side of it. Each method but `found` is called at most once, in this order.
#[async_trait]
pub trait Landing: Send + 'static {
    /// The stored entry, if one has landed since the client's look-up: then upstream is not asked. Called again and
    /// again while another replica fetches; the last call is the moment at which the fetch begins.
    async fn found(&mut self) -> Option<Arc<Entry>>;

    /// Says what the head of the answer means. Table work: it runs on the arbiter.
    fn judge(&mut self, head: &Head) -> Judgement;

    /// Stores checked bytes durably and commits their rows; an error costs no client its download.
    async fn land(&mut self, fetched: &Fetched) -> Result<Arc<Entry>, Fault>;

    /// Upstream confirmed the stored copy.
    async fn same(&mut self, head: &Head) -> Result<Arc<Entry>, Fault>;

    /// The fetch failed; told before any client is. Gives the fault by the name that clients and operators shall see.
    async fn failed(&mut self, fault: Fault) -> Fault;
}

/// What a head means.
pub enum Judgement {
    /// The body is wanted; the seal, if any, judges it while it passes.
    Take {
        /// Judge of the body.
        seal: Option<Box<dyn Seal>>,
    },
    /// The stored copy is still right.
    Same,
    /// Not what was asked for.
    Fail(Fault),
}

/// A whole body that passed every check.
pub struct Fetched {
    /// The head it came with.
    pub head: Arc<Head>,
    /// Where it is.
    pub spool: Arc<Spool>,
    /// Its size in bytes.
    pub size: u64,
    /// What it hashes to: SHA-256, and the algorithms of the order's digests.
    pub digests: Digests,
    /// Whether length, digest or seal proved that nothing is missing.
    pub proven: bool,
}

/// Where a flight is. The last four are ends; a flight that stops elsewhere has crashed.
#[derive(Clone, Debug)]
pub enum Stage {
    /// No answer yet.
    Waiting,
    /// The body arrives.
    Filling,
    /// All bytes are there and right; storing goes on.
    Verified,
    /// Stored and visible: now, or by an earlier flight, and then there is no body here.
    Landed(Arc<Entry>),
    /// The bytes are right and readable here, but could not be stored.
    Unstored(Fault),
    /// Upstream confirmed the stored copy; there is no body.
    Same(Arc<Entry>),
    /// Nothing usable came.
    Failed(Fault),
}

impl Stage {
    /// Whether nothing will follow.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Landed(_) | Self::Unstored(_) | Self::Same(_) | Self::Failed(_) => true,
            Self::Waiting | Self::Filling | Self::Verified => false,
        }
    }
}

/// How far a flight is.
#[derive(Clone)]
pub struct Progress {
    /// Where it is.
    pub stage: Stage,
    /// The head of upstream's answer, once there is one with a body that is wanted.
    pub head: Option<Arc<Head>>,
    /// Bytes the whole body has, where head or order say so.
    pub length: Option<u64>,
    /// Bytes in the spool.
    pub written: u64,
    /// The checked body, from `Verified` on. A flight that found an entry stored already lands without one.
    pub fetched: Option<Arc<Fetched>>,
}

impl Progress {
    /// A flight that has just begun.
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Waiting,
            head: None,
            length: None,
            written: 0,
            fetched: None,
        }
    }

    /// Bytes that readers may have: the tail of the object is held until the whole of it is known to be right.
    pub(crate) fn visible(&self) -> u64 {
        if self.fetched.is_some() {
            return self.written;
        }
        match self.length {
            Some(length) => self.written.min(length.saturating_sub(TAIL)),
            None => self.written.saturating_sub(TAIL),
        }
    }

    /// Whether an honest status may still depend on bytes to come: then the head waits.
    pub(crate) fn holds_head(&self) -> bool {
        match self.stage {
            Stage::Waiting => true,
            Stage::Filling => self.length.map_or(self.written < TAIL, |length| length <= TAIL),
            Stage::Verified | Stage::Landed(_) | Stage::Unstored(_) | Stage::Same(_) | Stage::Failed(_) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
