//! Replicas: what several processes on the same stores tell each other, and how each keeps its memory true.
//!
//! Own events, breakers that changed and the fact that the catalog was changed are published; those of others are taken
//! in. All of it are hints. What must not be missed, a changed catalog, is noticed within half a second by its epoch as
//! well, whatever becomes of the hints. One kept actor does all this; where nothing is shared it only retries to read
//! the catalog where that failed.

mod hear;
mod post;
mod watch;

use std::fmt;
use std::sync::Arc;

use actix::fut::wrap_future;
use actix::{Actor, Addr, AsyncContext as _, Context, Supervised};
use artifactapi_core::event::Event;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::{Clock, Fault};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::breakers::{Breakers, Notice};
use crate::events::Events;
use crate::inbox::Inbox;
use crate::keeper::Kept;

/// Events that may wait to be published; further ones are lost to others, who are told so.
pub(crate) const WAITING: usize = 4096;
/// Breakers' changes that may wait.
pub(crate) const NOTICES: usize = 256;

/// Says that the catalog was changed in a way that others must take into their memory.
const CHANGED: &str = "changed";
/// Carries events.
const EVENTS: &str = "events";
/// Carries changes of breakers.
const BREAKER: &str = "breaker";

/// Reads anew what the process keeps in memory of the catalog.
pub type Renewal = Arc<dyn Fn() -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// Reads the catalog's epoch.
pub(crate) type Epoch = Arc<dyn Fn() -> BoxFuture<'static, Result<i64, Fault>> + Send + Sync>;

/// What goes from replica to replica.
#[derive(Debug, Serialize, Deserialize)]
struct Letter<T> {
    /// Who wrote it: everybody hears his own letters too.
    replica: String,
    body: T,
}

/// Events, and how many were lost since the last letter.
#[derive(Debug, Serialize, Deserialize)]
struct News {
    lost: u64,
    events: Vec<Event>,
}

/// The way to the other replicas.
#[derive(Clone)]
pub struct Replicas {
    signals: Signals,
    /// Keeps the worker's mailbox open.
    _liaison: Addr<Liaison>,
}

/// What façade and actor share.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    changed: Arc<Notify>,
    stale: Arc<Notify>,
}

impl Replicas {
    pub(crate) fn new(signals: Signals, liaison: Addr<Liaison>) -> Self {
        Self {
            signals,
            _liaison: liaison,
        }
    }

    /// This process changed what others keep in memory: they are told, best effort. Never blocks.
    pub fn changed(&self) {
        self.signals.changed.notify_one();
    }

    /// What this process keeps in memory is older than the catalog: it is read anew, again and again until that succeeds.
    /// Never blocks.
    pub fn stale(&self) {
        self.signals.stale.notify_one();
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").finish_non_exhaustive()
    }
}

/// What the actor works with.
pub(crate) struct Tools {
    pub(crate) replica: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hot: Arc<dyn Hot>,
    /// `None` where nobody else changes the catalog.
    pub(crate) epoch: Option<Epoch>,
    pub(crate) renew: Renewal,
    pub(crate) events: Events,
    pub(crate) breakers: Breakers,
    pub(crate) outgoing: Inbox<Event>,
    pub(crate) notices: Inbox<Notice>,
    pub(crate) signals: Signals,
}

/// The kept actor.
pub(crate) struct Liaison {
    tools: Arc<Tools>,
    /// An earlier run ended in a panic, so that something may have been lost.
    resumed: bool,
}

impl Liaison {
    pub(crate) fn new(tools: Tools) -> Self {
        Self {
            tools: Arc::new(tools),
            resumed: false,
        }
    }

    fn run<F: Future<Output = ()> + 'static>(
        &self,
        ctx: &mut Context<Self>,
        work: impl FnOnce(Arc<Tools>, bool) -> F,
    ) {
        ctx.spawn(wrap_future(work(Arc::clone(&self.tools), self.resumed)));
    }
}

impl Actor for Liaison {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.run(ctx, watch::keep_current);
        if self.tools.hot.is_shared() {
            self.run(ctx, post::changes);
            self.run(ctx, post::events);
            self.run(ctx, post::notices);
            self.run(ctx, hear::changes);
            self.run(ctx, hear::events);
            self.run(ctx, hear::notices);
        }
    }
}

impl Supervised for Liaison {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.resumed = true;
    }
}

impl Kept for Liaison {
    const KIND: &'static str = "replicas";
}

#[cfg(test)]
mod tests;
