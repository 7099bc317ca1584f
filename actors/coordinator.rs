//! Coordinators: which flights are in the air. One kept actor per fetch arbiter; keys are sharded among them.
//!
//! A coordinator owns a table and nothing else: bytes and truth are elsewhere, so a panic costs at most that something
//! is fetched twice. Flights go on without it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message, MessageResult, Supervised};
use artifactapi_core::Fault;
use tokio::sync::watch;

use crate::fetch::{Crew, Fetch};
use crate::flight::{FetchOrder, Progress, Ticket, crashed};
use crate::keeper::Kept;

/// The way to the flights.
#[derive(Clone)]
pub struct Flights {
    shards: Arc<[Addr<Coordinator>]>,
    crew: Arc<Crew>,
}

impl Flights {
    pub(crate) fn new(shards: Vec<Addr<Coordinator>>, crew: Arc<Crew>) -> Self {
        Self {
            shards: shards.into(),
            crew,
        }
    }

    /// A share in the flight of this key; `order` begins one where none is in the air.
    ///
    /// The flight goes on whatever becomes of its callers. A coordinator that crashes over the first try is asked once
    /// more.
    pub async fn join(&self, key: &str, order: impl Fn() -> FetchOrder) -> Result<Ticket, Fault> {
        let coordinator = self.shard(key).ok_or_else(crashed)?;
        for _ in 0..2 {
            let join = Join {
                key: key.to_owned(),
                order: order(),
            };
            if let Ok(ticket) = coordinator.send(join).await {
                return Ok(ticket);
            }
        }
        Err(crashed())
    }

    /// How many flights are in the air, those included whose bytes are being stored.
    pub fn in_flight(&self) -> usize {
        self.crew.in_flight()
    }

    fn shard(&self, key: &str) -> Option<&Addr<Coordinator>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = self.shards.len() as u64;
        let at = hasher.finish().checked_rem(count)?;
        self.shards.get(usize::try_from(at).ok()?)
    }
}

/// The kept actor.
pub(crate) struct Coordinator {
    crew: Arc<Crew>,
    flights: HashMap<String, Entry>,
    /// How many flights the table has, for the board.
    count: Arc<AtomicUsize>,
}

struct Entry {
    flight: u64,
    ticket: Ticket,
}

impl Coordinator {
    pub(crate) fn new(crew: Arc<Crew>, count: Arc<AtomicUsize>) -> Self {
        Self {
            crew,
            flights: HashMap::new(),
            count,
        }
    }

    fn join(&mut self, join: Join, me: Addr<Self>) -> Ticket {
        // A flight that is over was either forgotten or crashed; then its place in the table is free.
        if let Some(entry) = self.flights.get(&join.key)
            && !entry.ticket.is_over()
        {
            return entry.ticket.clone();
        }
        let (progress, watched) = watch::channel(Progress::new());
        let spool = Arc::new(self.crew.spools.spool());
        let ticket = Ticket::new(watched, Arc::clone(&spool), self.crew.held_head);
        let flight = self.crew.next_flight();
        let landed = Landed {
            key: join.key.clone(),
            flight,
        };
        Fetch::start(
            Arc::clone(&self.crew),
            join.order,
            (progress, spool),
            (me, landed),
        );
        let leader = ticket.for_leader();
        self.flights.insert(join.key, Entry { flight, ticket });
        self.count();
        leader
    }

    fn count(&self) {
        self.count.store(self.flights.len(), Ordering::Relaxed);
    }
}

impl Actor for Coordinator {
    type Context = Context<Self>;
}

impl Supervised for Coordinator {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.flights.clear();
        self.count();
    }
}

impl Kept for Coordinator {
    const KIND: &'static str = "coordinator";
}

/// Asks for a share in a flight.
#[derive(Message)]
#[rtype(result = "Ticket")]
struct Join {
    key: String,
    order: FetchOrder,
}

impl Handler<Join> for Coordinator {
    type Result = MessageResult<Join>;

    fn handle(&mut self, join: Join, ctx: &mut Context<Self>) -> Self::Result {
        MessageResult(self.join(join, ctx.address()))
    }
}

/// A flight has ended, one way or the other, and may be forgotten.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Landed {
    key: String,
    flight: u64,
}

impl Landed {
    /// The number of the flight, which no other flight of this process has.
    pub(crate) fn flight(&self) -> u64 {
        self.flight
    }
}

impl Handler<Landed> for Coordinator {
    type Result = ();

    fn handle(&mut self, landed: Landed, _: &mut Context<Self>) {
        // The key may have a newer flight, if this coordinator was restarted meanwhile.
        if self
            .flights
            .get(&landed.key)
            .is_some_and(|entry| entry.flight == landed.flight)
        {
            self.flights.remove(&landed.key);
            self.count();
        }
    }
}
