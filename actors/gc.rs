//! The collector: removes what nobody needs any more, one collection at a time, in bounded batches.
//!
//! It evicts cached entries that are unused for too long or beyond a remote's cap, deletes blobs that no entry names,
//! objects that no row names, what writers and spools left behind, and old rows of the access log. It never touches
//! hosted entries, and nothing younger than the grace. Of replicas on the same stores one collects at a time; where they
//! cannot agree they collect side by side, which the rows of the catalog make safe.

mod evict;
mod report;
mod share;
mod steps;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message, ResponseActFuture, Supervised};
use artifactapi_core::fault::Kind;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::{Clock, Entry, Fault, Repository};
use artifactapi_store::spool::Spools;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access_log::AccessLog;
use crate::events::Events;
use crate::keeper::Kept;
use crate::lease::Leases;

pub use report::GcReport;

/// How long a collection that was asked for waits for another replica's.
const PATIENCE: Duration = Duration::from_secs(10);

/// Told of every batch of cached entries that was removed, so that caches in memory forget them.
pub type Evicted = Arc<dyn Fn(&[Entry]) + Send + Sync>;
/// Gives the repositories as they are now.
pub type Listing = Arc<dyn Fn() -> Vec<Arc<Repository>> + Send + Sync>;

/// How the collector works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcSettings {
    /// How long a blob is kept that no entry names.
    pub grace: Duration,
    /// How long an object without a row and a half-written file are kept at least, whatever grace a request asks for:
    /// longer than any write takes from its first byte to its commit.
    pub orphan_grace: Duration,
    /// Time between collections; zero leaves them to requests.
    pub interval: Duration,
    /// How long rows of the access log are kept.
    pub keep_log: Duration,
}

impl Default for GcSettings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        Self {
            grace: HOUR,
            orphan_grace: HOUR,
            interval: HOUR,
            keep_log: HOUR * 24 * 30,
        }
    }
}

/// A wish for a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcRequest {
    /// Only says what a collection would do.
    pub dry_run: bool,
    /// Instead of the setting: how long a blob is kept that no entry names.
    pub grace: Option<Duration>,
}

/// What a collection works with.
pub(crate) struct Tools {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) spools: Arc<Spools>,
    pub(crate) log: AccessLog,
    pub(crate) events: Events,
    pub(crate) evicted: Evicted,
    pub(crate) repositories: Listing,
    pub(crate) settings: GcSettings,
    pub(crate) leases: Leases,
}

/// The way to the collector.
#[derive(Clone)]
pub struct Gc {
    collector: Addr<Collector>,
    office: Office,
}

/// What façade and actor share; outlives a panic.
#[derive(Clone)]
pub(crate) struct Office {
    /// Held by the collection that runs.
    turn: Arc<Semaphore>,
    last: Arc<Mutex<Option<GcReport>>>,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            last: Arc::default(),
        }
    }

    /// How many collections run: none or one.
    pub(crate) fn running(&self) -> usize {
        1_usize.saturating_sub(self.turn.available_permits())
    }
}

impl Gc {
    pub(crate) fn new(collector: Addr<Collector>, office: Office) -> Self {
        Self { collector, office }
    }

    /// Runs a collection, after the one that runs now, and gives its report. The collection goes on if the caller
    /// leaves. A fault means that it panicked, or that another replica is still at it after a while.
    pub async fn run(&self, request: GcRequest) -> Result<GcReport, Fault> {
        let stopped = |cause: &dyn fmt::Display| {
            Fault::ours(Kind::Internal, "the collection stopped unexpectedly", cause)
        };
        let turn = Arc::clone(&self.office.turn);
        let turn = turn.acquire_owned().await.map_err(|closed| stopped(&closed))?;
        let run = Run {
            request,
            turn,
            patience: PATIENCE,
        };
        let report = self.collector.send(run).await;
        report.map_err(|crashed| stopped(&crashed))?.ok_or_else(|| {
            Fault::new(Kind::Overloaded, "another replica collects at the moment").retry_after(PATIENCE)
        })
    }

    /// The report of the last collection since start, whether asked for or due.
    pub fn last(&self) -> Option<GcReport> {
        let last = self.office.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

impl fmt::Debug for Gc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gc")
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

/// The kept actor.
pub(crate) struct Collector {
    tools: Arc<Tools>,
    office: Office,
}

impl Collector {
    pub(crate) fn new(tools: Tools, office: Office) -> Self {
        Self {
            tools: Arc::new(tools),
            office,
        }
    }

    /// A collection that gives its turn back when it ends, however it ends; `None` where it is another replica's turn.
    fn collect(&self, run: Run) -> impl Future<Output = Option<GcReport>> + use<> {
        let (tools, last) = (Arc::clone(&self.tools), Arc::clone(&self.office.last));
        async move {
            let report = tools.collect_alone(run.request, run.patience).await;
            if let Some(report) = &report {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                last.replace(report.clone());
            }
            drop(run.turn);
            report
        }
    }

    /// Begins the collection that is due, unless one runs.
    fn due(&mut self, ctx: &mut Context<Self>) {
        if let Ok(turn) = Arc::clone(&self.office.turn).try_acquire_owned() {
            let run = self.collect(Run {
                request: GcRequest::default(),
                turn,
                patience: Duration::ZERO,
            });
            ctx.spawn(wrap_future(async move {
                if run.await.is_none() {
                    log::debug!("another replica collects, so this one does not");
                }
            }));
        }
    }
}

impl Actor for Collector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let interval = self.tools.settings.interval;
        if !interval.is_zero() {
            ctx.run_interval(interval, Self::due);
        }
    }
}

impl Supervised for Collector {}

impl Kept for Collector {
    const KIND: &'static str = "gc";
}

/// Asks for a collection whose turn it is.
#[derive(Message)]
#[rtype(result = "Option<GcReport>")]
pub(crate) struct Run {
    request: GcRequest,
    turn: OwnedSemaphorePermit,
    /// How long to wait for another replica's collection.
    patience: Duration,
}

impl Handler<Run> for Collector {
    type Result = ResponseActFuture<Self, Option<GcReport>>;

    fn handle(&mut self, run: Run, _: &mut Context<Self>) -> Self::Result {
        Box::pin(wrap_future(self.collect(run)))
    }
}

#[cfg(test)]
mod tests;
