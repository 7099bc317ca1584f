//! How each worker is started: with what, under which name, on which thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use actix_rt::Arbiter;
use artifactapi_core::Fault;
use artifactapi_core::event::Event;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::Deps;
use crate::access_log::{self, AccessLog, Writer};
use crate::breakers::{Breakers, Notice, Peers};
use crate::coordinator::{Coordinator, Flights};
use crate::events::{self, Events, Teller};
use crate::fetch::Crew;
use crate::gc::{Collector, Gc, Office, Tools};
use crate::inbox::{Inbox, Slot, gauge, inbox};
use crate::keeper::Nursery;
use crate::lease::Leases;
use crate::replicas::{self, Liaison, Replicas, Signals};

/// The start of each worker.
pub(super) struct Start<'a> {
    pub(super) deps: Deps,
    pub(super) nursery: Nursery,
    pub(super) control: &'a Arbiter,
}

impl Start<'_> {
    pub(super) async fn events(&self, outgoing: Slot<Event>) -> Result<Events, Fault> {
        let (slot, told) = inbox(events::WAITING);
        let (foreign, heard) = inbox(events::WAITING);
        let outgoing = self.deps.hot.is_shared().then_some(outgoing);
        let teller = Teller::new((told, heard), outgoing, Arc::clone(&self.deps.clock));
        let heard = teller.heard();
        let name = "events".to_owned();
        let nursery = &self.nursery;
        let teller = nursery
            .start_on(&self.control.handle(), name, slot.gauge(), move || teller)
            .await?;
        Ok(Events::new(slot, foreign, teller).heard_where(heard))
    }

    pub(super) fn breakers(&self, events: &Events, notices: Slot<Notice>) -> Breakers {
        Breakers::new(
            self.nursery.clone(),
            self.control.handle(),
            Arc::clone(&self.deps.clock),
            events.clone(),
            Peers::new(Arc::clone(&self.deps.hot), notices),
        )
    }

    pub(super) async fn replicas(
        &self,
        (events, breakers): (&Events, &Breakers),
        (outgoing, notices): (Inbox<Event>, Inbox<Notice>),
        waiting: &Slot<Event>,
    ) -> Result<Replicas, Fault> {
        let deps = &self.deps;
        let catalog = Arc::clone(&deps.catalog);
        let epoch = move || -> BoxFuture<'static, Result<i64, Fault>> {
            let catalog = Arc::clone(&catalog);
            Box::pin(async move { catalog.epoch().await })
        };
        let signals = Signals::default();
        let liaison = Liaison::new(replicas::Tools {
            replica: deps.replica.clone(),
            clock: Arc::clone(&deps.clock),
            hot: Arc::clone(&deps.hot),
            epoch: deps.catalog.is_shared().then(|| Arc::new(epoch) as Arc<_>),
            renew: Arc::clone(&deps.renew),
            events: events.clone(),
            breakers: breakers.clone(),
            outgoing,
            notices,
            signals: signals.clone(),
        });
        let name = "replicas".to_owned();
        let liaison = self
            .nursery
            .start_on(&self.control.handle(), name, waiting.gauge(), move || liaison)
            .await?;
        Ok(Replicas::new(signals, liaison))
    }

    fn leases(&self) -> Leases {
        Leases::new(Arc::clone(&self.deps.hot), &self.deps.replica)
    }

    pub(super) async fn access_log(&self) -> Result<AccessLog, Fault> {
        let (sender, receiver) = mpsc::channel(access_log::WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let catalog = Arc::clone(&self.deps.catalog);
        let writer = Writer::new(receiver, catalog, Arc::clone(&dropped));
        let name = "access-log".to_owned();
        let nursery = &self.nursery;
        let writer = nursery
            .start_on(&self.control.handle(), name, gauge(&sender), move || writer)
            .await?;
        Ok(AccessLog::new(sender, dropped, writer))
    }

    pub(super) async fn gc(&self, log: &AccessLog, events: &Events) -> Result<Gc, Fault> {
        let office = Office::new();
        let tools = Tools {
            clock: Arc::clone(&self.deps.clock),
            catalog: Arc::clone(&self.deps.catalog),
            blobs: Arc::clone(&self.deps.blobs),
            spools: Arc::clone(&self.deps.spools),
            log: log.clone(),
            events: events.clone(),
            evicted: Arc::clone(&self.deps.evicted),
            repositories: Arc::clone(&self.deps.repositories),
            settings: self.deps.settings.gc,
            leases: self.leases(),
        };
        let collector = Collector::new(tools, office.clone());
        let watched = office.clone();
        let gauge = Box::new(move || watched.running());
        let nursery = &self.nursery;
        let collector = nursery
            .start_on(&self.control.handle(), "gc".to_owned(), gauge, move || collector)
            .await?;
        Ok(Gc::new(collector, office))
    }

    pub(super) async fn flights(
        &self,
        breakers: &Breakers,
        events: &Events,
    ) -> Result<(Flights, Vec<Arbiter>), Fault> {
        let crew = Arc::new(Crew {
            upstream: Arc::clone(&self.deps.upstream),
            spools: Arc::clone(&self.deps.spools),
            breakers: breakers.clone(),
            events: events.clone(),
            leases: self.leases(),
            clock: Arc::clone(&self.deps.clock),
            held_head: self.deps.settings.held_head,
            flying: Arc::default(),
            begun: AtomicU64::new(0),
        });
        let (mut shards, mut arbiters) = (Vec::new(), Vec::new());
        for number in 0..self.deps.settings.fetch_arbiters.max(1) {
            let arbiter = Arbiter::new();
            let count = Arc::new(AtomicUsize::new(0));
            let coordinator = Coordinator::new(Arc::clone(&crew), Arc::clone(&count));
            let gauge = Box::new(move || count.load(Ordering::Relaxed));
            let name = format!("coordinator-{number}");
            let nursery = &self.nursery;
            let shard = nursery
                .start_on(&arbiter.handle(), name, gauge, move || coordinator)
                .await?;
            shards.push(shard);
            arbiters.push(arbiter);
        }
        Ok((Flights::new(shards, crew), arbiters))
    }
}
