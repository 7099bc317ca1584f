//! Fetches: one mortal actor per flight, on the arbiter of its coordinator. It asks upstream, lets the landing judge
//! the head, pumps the body into the spool, checks it, and has it landed.
//!
//! Where replicas share a store of hints, one of them asks upstream and the others wait for what it lands.
//! It serves nobody and waits for no client. Whatever ends it, it tells the landing, the breaker and the events
//! before any client learns of it. If it panics, its dropped `watch` tells the clients, and its table entry goes.

mod check;
mod lead;
mod pump;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Context};
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Head, Upstream};
use artifactapi_core::{Clock, Fault, Outcome};
use artifactapi_store::spool::{Spool, Spools};
use futures_util::future::join;
use tokio::sync::watch;

use crate::breakers::Breakers;
use crate::coordinator::{Coordinator, Landed};
use crate::events::Events;
use crate::flight::{FetchOrder, Fetched, Judgement, Progress, Stage};
use crate::lease::{Lease, Leases};
use crate::spawn::{caught, spawn_named};

/// What all fetches share.
pub(crate) struct Crew {
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) spools: Arc<Spools>,
    pub(crate) breakers: Breakers,
    pub(crate) events: Events,
    pub(crate) leases: Leases,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) held_head: Duration,
    pub(crate) flying: Arc<AtomicUsize>,
    pub(crate) begun: AtomicU64,
}

impl Crew {
    /// A number that no other flight of this process has.
    pub(crate) fn next_flight(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.flying.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").finish_non_exhaustive()
    }
}

/// Counts a flight for as long as it lasts.
struct Flying(Arc<AtomicUsize>);

impl Flying {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The mortal actor: it works from its start, takes no messages, and stops when its work is done.
pub(crate) struct Fetch(Option<Flight>);

impl Fetch {
    /// Starts a fetch that writes to `place` and reports back to `home`.
    pub(crate) fn start(
        crew: Arc<Crew>,
        order: FetchOrder,
        place: (watch::Sender<Progress>, Arc<Spool>),
        home: (Addr<Coordinator>, Landed),
    ) {
        let (progress, spool) = place;
        let (coordinator, landed) = home.clone();
        let lease = crew
            .leases
            .lease(format!("flight/{}", order.key), landed.flight());
        let flight = Flight {
            flying: Flying::new(&crew.flying),
            lease: lease.clone(),
            crew,
            order,
            progress,
            spool,
            home,
        };
        let actor = Context::new().into_future(Self(Some(flight)));
        spawn_named("fetch", async move {
            if !caught("fetch", actor).await {
                // Whether the coordinator still lives or not, the flight is out of its table then.
                let (_, ()) = join(coordinator.send(landed), given_back(lease.as_ref())).await;
            }
        });
    }
}

impl Actor for Fetch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(flight) = self.0.take() {
            let work = wrap_future(flight.fly());
            ctx.spawn(work.map(|(), _: &mut Self, ctx: &mut Context<Self>| ctx.stop()));
        }
    }
}

/// The work of a fetch.
struct Flight {
    crew: Arc<Crew>,
    order: FetchOrder,
    progress: watch::Sender<Progress>,
    spool: Arc<Spool>,
    home: (Addr<Coordinator>, Landed),
    flying: Flying,
    lease: Option<Lease>,
}

async fn given_back(lease: Option<&Lease>) {
    if let Some(lease) = lease {
        lease.give_back().await;
    }
}

/// What came from upstream.
enum Arrival {
    Body(Arc<Fetched>),
    Same(Arc<Head>),
}

impl Flight {
    async fn fly(mut self) {
        let lease = self.lease.take();
        let end = match (self.found(lease.as_ref()).await, &lease) {
            (Some(entry), _) => Stage::Landed(entry),
            (None, Some(lease)) => lease.during(self.fetch_and_land()).await,
            (None, None) => self.fetch_and_land().await,
        };
        self.progress.send_modify(|now| now.stage = end);
        // The table entry goes while the sender lives: who joins meanwhile finds a flight that has ended, not one
        // that crashed. An error means that the coordinator restarted, with an empty table.
        let (coordinator, landed) = self.home;
        let (_, ()) = join(coordinator.send(landed), given_back(lease.as_ref())).await;
        drop((self.progress, self.flying));
    }

    async fn fetch_and_land(&mut self) -> Stage {
        let arrived = self.fetch().await;
        let end = self.land(arrived).await;
        self.tell(&end);
        end
    }

    /// From the request to a body that is whole and right.
    async fn fetch(&mut self) -> Result<Arrival, Fault> {
        let sent = self.crew.upstream.send(self.order.request.clone()).await;
        let answer = sent.inspect_err(|fault| self.report(None, Some(fault)))?;
        let head = Arc::new(answer.head);
        let taken = match self.order.landing.judge(&head) {
            Judgement::Same => Ok(Arrival::Same(Arc::clone(&head))),
            Judgement::Fail(fault) => Err(fault),
            Judgement::Take { seal } => self.take(&head, answer.body, seal).await.map(Arrival::Body),
        };
        self.report(Some(&head), taken.as_ref().err());
        taken
    }

    /// What becomes of what came; gives the stage at which the flight ends.
    async fn land(&mut self, arrived: Result<Arrival, Fault>) -> Stage {
        let landing = &mut self.order.landing;
        let failed = match arrived {
            Ok(Arrival::Body(fetched)) => {
                self.progress.send_modify(|now| {
                    now.fetched = Some(Arc::clone(&fetched));
                    now.stage = Stage::Verified;
                });
                return landing
                    .land(&fetched)
                    .await
                    .map_or_else(Stage::Unstored, Stage::Landed);
            }
            Ok(Arrival::Same(head)) => match landing.same(&head).await {
                Ok(entry) => return Stage::Same(entry),
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        Stage::Failed(landing.failed(failed).await)
    }

    /// Tells the breaker how upstream fared: an answer below 500 whose body was sound is a success, and so is every
    /// refusal (4xx), whatever fault it makes for the client. What is neither this nor upstream's trouble says nothing.
    fn report(&self, head: Option<&Head>, fault: Option<&Fault>) {
        let breakers = &self.crew.breakers;
        let sound = fault.is_none_or(|fault| fault.kind != Kind::Corrupt);
        let refused = head.is_some_and(|head| matches!(head.status, 400..=499));
        if !refused && fault.is_some_and(Fault::trips_breaker) {
            breakers.report(self.order.repo, false);
        } else if sound && head.is_some_and(|head| head.status < 500) {
            breakers.report(self.order.repo, true);
        }
    }

    /// Tells watchers how the flight ended.
    fn tell(&self, end: &Stage) {
        let (outcome, fault) = match end {
            Stage::Landed(_) => (Outcome::Miss.as_str(), None),
            Stage::Same(_) => (Outcome::Revalidated.as_str(), None),
            Stage::Unstored(fault) => ("unstored", Some(fault)),
            Stage::Failed(fault) => (fault.kind.code(), Some(fault)),
            Stage::Waiting | Stage::Filling | Stage::Verified => return,
        };
        self.event(EventKind::Fetch, outcome);
        if let Some(fault) = fault {
            if matches!(fault.kind, Kind::Corrupt | Kind::Changed) {
                self.event(EventKind::Incident, fault.kind.code());
            }
            let (remote, path) = (self.order.repo_name.as_str(), self.order.path.as_str());
            log::log!(weight(fault), remote = remote, path = path; "a fetch ended as {outcome}: {fault:?}");
        }
    }

    fn event(&self, kind: EventKind, outcome: &str) {
        self.crew.events.tell(Event {
            kind,
            remote: Some(self.order.repo_name.clone()),
            path: Some(self.order.path.clone()),
            at: self.crew.clock.now(),
            outcome: outcome.to_owned(),
            bytes: Some(self.spool.len()),
        });
    }
}

/// Upstream's honest "no" concerns nobody but its client.
fn weight(fault: &Fault) -> log::Level {
    if matches!(fault.kind, Kind::NotFound | Kind::Gone) {
        return log::Level::Debug;
    }
    log::Level::Warn
}

#[cfg(test)]
mod tests;
