//! Breakers: one kept actor per remote round the pure breaker of [`artifactapi_core::breaker`].
//!
//! Asking may wait for the actor; reporting never does, and reading a state needs no message. Losing a breaker costs
//! work, never a wrong answer: where one cannot be asked, the request may go. Replicas that share a store of hints tell
//! each other, and take over what they are told without telling it on.

mod peers;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actix::{Actor, Addr, Context, Handler, Message, MessageResult, Supervised};
use actix_rt::ArbiterHandle;
use artifactapi_core::breaker::{Breaker, Gate, State};
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Kind;
use artifactapi_core::{Clock, Fault, RepoId};

use crate::events::Events;
use crate::inbox::{Inbox, Slot, inbox};
use crate::keeper::{Kept, Nursery};

pub(crate) use peers::{Notice, Peers};

/// Reports that may wait for one breaker; further ones are dropped, since these say enough.
const WAITING: usize = 1024;

/// The breakers of all remotes.
#[derive(Clone)]
pub struct Breakers(Arc<Shared>);

struct Shared {
    nursery: Nursery,
    arbiter: ArbiterHandle,
    clock: Arc<dyn Clock>,
    events: Events,
    peers: Peers,
    lines: RwLock<HashMap<RepoId, Line>>,
    /// Held while a breaker is started, so that none is started twice.
    starting: tokio::sync::Mutex<()>,
}

/// The ways to one breaker.
#[derive(Clone)]
struct Line {
    sentry: Addr<Sentry>,
    reports: Slot<Word>,
    seen: Arc<Mutex<Breaker>>,
}

impl Breakers {
    pub(crate) fn new(
        nursery: Nursery,
        arbiter: ArbiterHandle,
        clock: Arc<dyn Clock>,
        events: Events,
        peers: Peers,
    ) -> Self {
        Self(Arc::new(Shared {
            nursery,
            arbiter,
            clock,
            events,
            peers,
            lines: RwLock::default(),
            starting: tokio::sync::Mutex::default(),
        }))
    }

    /// Whether a request may go to this remote's upstream; otherwise `BreakerOpen` with the time until it may.
    /// Whoever was let through must [`report`](Self::report), or leave that to its flight.
    pub async fn gate(&self, repo: RepoId, name: &str) -> Result<(), Fault> {
        let line = self.line(repo, name).await?;
        match line.sentry.send(Ask).await {
            Ok(Gate::Open { retry_after }) => Err(Fault::new(
                Kind::BreakerOpen,
                "upstream is failing and is left alone for a while",
            )
            .retry_after(retry_after)),
            Ok(Gate::Closed | Gate::Probe) | Err(_) => Ok(()),
        }
    }

    /// Says how a request went. Every report made before a gate is asked is known to that gate.
    pub fn report(&self, repo: RepoId, ok: bool) {
        if let Some(line) = self.known(repo) {
            line.reports.put(Word::Report(ok));
        }
    }

    /// Lets a remote's breaker go, in all replicas; it begins closed when it is asked again.
    pub fn forget(&self, repo: RepoId) {
        let mut lines = self.0.lines.write().unwrap_or_else(PoisonError::into_inner);
        lines.remove(&repo);
        drop(lines);
        let now = self.0.clock.now();
        let fresh = Notice::new(repo, State::Closed, &Breaker::new(), now);
        self.0.peers.tell(fresh);
    }

    /// Takes over what another replica found out about a remote that is in use here. Never blocks.
    pub(crate) fn hear(&self, notice: Notice) {
        if let Some(line) = self.known(notice.repo) {
            line.reports.put(Word::Adopt(notice));
        }
    }

    /// Where a remote's breaker stands; closed where there is none yet.
    pub fn state(&self, repo: RepoId) -> State {
        self.known(repo).map_or(State::Closed, |line| {
            let seen = line.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.state(self.0.clock.now())
        })
    }

    fn known(&self, repo: RepoId) -> Option<Line> {
        let lines = self.0.lines.read().unwrap_or_else(PoisonError::into_inner);
        lines.get(&repo).cloned()
    }

    async fn line(&self, repo: RepoId, name: &str) -> Result<Line, Fault> {
        if let Some(line) = self.known(repo) {
            return Ok(line);
        }
        let _alone = self.0.starting.lock().await;
        if let Some(line) = self.known(repo) {
            return Ok(line);
        }
        let line = self.start(repo, name).await?;
        let mut lines = self.0.lines.write().unwrap_or_else(PoisonError::into_inner);
        lines.insert(repo, line.clone());
        Ok(line)
    }

    async fn start(&self, repo: RepoId, name: &str) -> Result<Line, Fault> {
        let (reports, inbox) = inbox(WAITING);
        let breaker = self.0.peers.breaker(repo, self.0.clock.as_ref()).await;
        let seen = Arc::new(Mutex::new(breaker.clone()));
        let sentry = Sentry {
            repo,
            name: name.to_owned(),
            breaker,
            inbox,
            seen: Arc::clone(&seen),
            clock: Arc::clone(&self.0.clock),
            events: self.0.events.clone(),
            peers: self.0.peers.clone(),
        };
        let name = format!("breaker:{name}");
        let nursery = &self.0.nursery;
        let sentry = nursery
            .start_on(&self.0.arbiter, name, reports.gauge(), move || sentry)
            .await?;
        Ok(Line {
            sentry,
            reports,
            seen,
        })
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").finish_non_exhaustive()
    }
}

/// What a breaker is told.
#[derive(Clone, Copy)]
enum Word {
    /// How a request fared.
    Report(bool),
    /// What another replica found out.
    Adopt(Notice),
}

/// The kept actor.
pub(crate) struct Sentry {
    repo: RepoId,
    name: String,
    breaker: Breaker,
    inbox: Inbox<Word>,
    /// A copy of the breaker for those who only look.
    seen: Arc<Mutex<Breaker>>,
    clock: Arc<dyn Clock>,
    events: Events,
    peers: Peers,
}

impl Sentry {
    fn hear(&mut self, word: Word) {
        match word {
            Word::Report(ok) => self.report(ok),
            Word::Adopt(notice) => {
                self.breaker.adopt(notice.state, notice.until, self.clock.now());
                self.show(None);
            }
        }
    }

    fn report(&mut self, ok: bool) {
        let now = self.clock.now();
        let changed = if ok {
            self.breaker.success(now)
        } else {
            self.breaker.failure(now)
        };
        self.show(changed);
    }

    fn ask(&mut self) -> Gate {
        while let Some(word) = self.inbox.take() {
            self.hear(word);
        }
        let gate = self.breaker.gate(self.clock.now());
        self.show((gate == Gate::Probe).then_some(State::HalfOpen));
        gate
    }

    /// Lets others see the breaker, and tells of a change.
    fn show(&mut self, changed: Option<State>) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&self.breaker);
        if let Some(state) = changed {
            let now = self.clock.now();
            self.peers.tell(Notice::new(self.repo, state, &self.breaker, now));
            self.events.tell(Event {
                kind: EventKind::Breaker,
                remote: Some(self.name.clone()),
                path: None,
                at: now,
                outcome: word(state).to_owned(),
                bytes: None,
            });
        }
    }
}

/// A state as events say it.
fn word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}

impl Actor for Sentry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.inbox.feed(ctx, Self::hear);
    }
}

impl Supervised for Sentry {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.breaker = Breaker::new();
        self.show(None);
    }
}

impl Kept for Sentry {
    const KIND: &'static str = "breaker";
}

/// Asks whether a request may go.
#[derive(Message)]
#[rtype(result = "Gate")]
struct Ask;

impl Handler<Ask> for Sentry {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.ask())
    }
}

#[cfg(test)]
mod tests;
