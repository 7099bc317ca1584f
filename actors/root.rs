//! The root: starts the workers in their order, and stops them in the reverse one, in bounded time.
//!
//! Threads: one control arbiter for events, access log, breakers and collector, and the fetch arbiters, each with one
//! coordinator and its fetches. A worker that panics too often ends the process with code 70, for whoever runs it to
//! see.

mod start;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::port::upstream::Upstream;
use artifactapi_core::{Clock, Fault};
use artifactapi_store::spool::Spools;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::board::Board;
use crate::gc::{Evicted, GcSettings, Listing};
use crate::handles::Handles;
use crate::inbox::inbox;
use crate::keeper::{GiveUp, Nursery};
use crate::replicas::{self, Renewal};
use start::Start;

/// Exit code when a worker gave up: `EX_SOFTWARE` of sysexits.
const GAVE_UP: i32 = 70;
/// How often a stop looks whether the flights have landed.
const LOOK: Duration = Duration::from_millis(20);

/// How the workers are set up.
#[derive(Clone)]
pub struct Settings {
    /// Threads for coordinators and fetches; at least one.
    pub fetch_arbiters: usize,
    /// How long the head of an answer is held back at most, to learn whether its body is whole.
    pub held_head: Duration,
    /// The collector's settings.
    pub gc: GcSettings,
    /// Called with the name of a worker that panicked too often. Ends the process with code 70, unless replaced.
    pub on_give_up: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fetch_arbiters: 2,
            held_head: Duration::from_secs(10),
            gc: GcSettings::default(),
            on_give_up: Arc::new(|_| std::process::exit(GAVE_UP)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("fetch_arbiters", &self.fetch_arbiters)
            .field("held_head", &self.held_head)
            .field("gc", &self.gc)
            .finish_non_exhaustive()
    }
}

/// What the workers work with.
pub struct Deps {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The truth about entries.
    pub catalog: Arc<dyn Catalog>,
    /// The store of hints.
    pub hot: Arc<dyn Hot>,
    /// What tells this process from all others; new at every start.
    pub replica: String,
    /// The store of objects.
    pub blobs: Arc<dyn Blobs>,
    /// The client for strangers.
    pub upstream: Arc<dyn Upstream>,
    /// Where bytes in flight are.
    pub spools: Arc<Spools>,
    /// How they are set up.
    pub settings: Settings,
    /// Told of evicted entries.
    pub evicted: Evicted,
    /// Gives the repositories.
    pub repositories: Listing,
    /// Called when what is in memory of the catalog may be too old.
    pub renew: Renewal,
}

/// A name for this process that no other has or had.
pub fn identity() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// All workers, and the threads they run on.
pub struct Root {
    handles: Handles,
    control: Arbiter,
    fetchers: Vec<Arbiter>,
}

impl Root {
    /// Starts every worker. Needs a running actix system.
    pub async fn start(deps: Deps) -> Result<(Self, Handles), Fault> {
        let control = Arbiter::new();
        let start = Start {
            nursery: nursery(&deps.settings),
            deps,
            control: &control,
        };
        let (outgoing, posted) = inbox(replicas::WAITING);
        let (notices, noted) = inbox(replicas::NOTICES);
        let events = start.events(outgoing.clone()).await?;
        let log = start.access_log().await?;
        let breakers = start.breakers(&events, notices);
        let gc = start.gc(&log, &events).await?;
        let (flights, fetchers) = start.flights(&breakers, &events).await?;
        let replicas = start
            .replicas((&events, &breakers), (posted, noted), &outgoing)
            .await?;
        let handles = Handles {
            flights,
            breakers,
            events,
            log,
            gc,
            replicas,
            board: start.nursery.board.clone(),
        };
        let root = Self {
            handles: handles.clone(),
            control,
            fetchers,
        };
        Ok((root, handles))
    }

    /// Stops every worker within `limit`: lets flights land for half of it, writes the access log, ends the threads.
    pub async fn stop(self, limit: Duration) {
        let begun = Instant::now();
        while self.handles.flights.in_flight() > 0 && begun.elapsed() < limit / 2 {
            sleep(LOOK).await;
        }
        let deadline = begun + limit;
        for arbiter in &self.fetchers {
            arbiter.stop();
        }
        let flushed = timeout_at(deadline, self.handles.log.flush()).await;
        let lost = self.handles.log.dropped();
        if flushed.is_err() || lost > 0 {
            log::warn!("the access log lost {lost} rows since start, and perhaps its last ones");
        }
        self.control.stop();
        if timeout_at(deadline, ended(self.fetchers, self.control))
            .await
            .is_err()
        {
            log::warn!("not every worker stopped in time");
        }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("board", &self.handles.board)
            .finish_non_exhaustive()
    }
}

/// Waits for threads to end, on a thread of its own: one that never ends must not hold up the runtime either.
async fn ended(fetchers: Vec<Arbiter>, control: Arbiter) {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        for arbiter in fetchers.into_iter().chain([control]) {
            // A thread that panicked is as stopped as any.
            arbiter.join().ok();
        }
        // Nobody waits any more when the limit is over.
        tell.send(()).ok();
    });
    told.await.ok();
}

fn nursery(settings: &Settings) -> Nursery {
    let on_give_up = Arc::clone(&settings.on_give_up);
    let give_up: GiveUp = Arc::new(move |worker| {
        log::error!(worker = worker; "{worker} panicked too often; the process ends");
        on_give_up(worker);
    });
    Nursery {
        board: Board::default(),
        give_up,
    }
}

#[cfg(test)]
mod tests;
