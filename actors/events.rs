//! Events: gives each event its id, keeps the latest few thousand, and hands them to watchers.
//!
//! Ids rise strictly and never come again, not even after a restart of the process: each is the time in
//! microseconds, or one more than the last. Nobody waits for a watcher: each has a bounded lane, and one who falls
//! behind, or resumes at what is not kept any more, is told `missed` with the ids that passed by.
//!
//! Each process gives ids of its own, also to the events of other replicas. Whoever resumes at another replica names an
//! id that this one never gave, and is told `missed`: what came meanwhile cannot be known.

mod lane;
mod teller;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use actix::Addr;
use artifactapi_core::event::{Event, EventKind};
use futures_core::Stream;

use crate::inbox::Slot;
use lane::End;
use teller::Subscribe;

pub(crate) use teller::{Foreign, Teller};

/// Events that may wait to get their id; further ones are lost, and told as missed.
pub(crate) const WAITING: usize = 8192;
/// The name of what is told to those who missed something.
const MISSED: &str = "missed";

/// Which events a watcher wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of these repositories; empty means all events, also those of none.
    pub remotes: HashSet<String>,
    /// Only those of these kinds; empty means all.
    pub kinds: HashSet<EventKind>,
}

impl Filter {
    fn admits(&self, event: &Event) -> bool {
        let remote = event.remote.as_ref();
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.remotes.is_empty() || remote.is_some_and(|remote| self.remotes.contains(remote)))
    }
}

/// One thing told to a watcher; becomes one message of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its id; what a watcher names to resume after it.
    pub id: u64,
    /// The event's kind, or `missed`.
    pub name: &'static str,
    /// The event as JSON; for `missed` the first and last id as `{"from":…,"to":…}`.
    pub data: Arc<str>,
}

impl Told {
    fn missed(from: u64, to: u64) -> Self {
        Self {
            id: to,
            name: MISSED,
            data: format!(r#"{{"from":{from},"to":{to}}}"#).into(),
        }
    }
}

/// The way to the Events worker.
#[derive(Clone)]
pub struct Events {
    slot: Slot<Event>,
    foreign: Slot<Foreign>,
    teller: Addr<Teller>,
    /// Whether anybody may hear of what happens all the time.
    heard: Arc<AtomicBool>,
}

impl Events {
    pub(crate) fn new(slot: Slot<Event>, foreign: Slot<Foreign>, teller: Addr<Teller>) -> Self {
        Self {
            slot,
            foreign,
            teller,
            heard: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Takes the teller's word for whether anybody hears.
    pub(crate) fn heard_where(self, heard: Arc<AtomicBool>) -> Self {
        Self { heard, ..self }
    }

    /// Tells of what happens thousands of times a second, unless nobody can hear of it any more: then it only counts as
    /// missed.
    pub fn tell_hit(&self, event: impl FnOnce() -> Event) {
        if self.heard.load(Ordering::Relaxed) {
            self.tell(event());
        } else {
            self.slot.lose(1);
        }
    }

    /// Tells of an event. Never blocks; where too many wait, it is lost and watchers are told `missed`.
    pub fn tell(&self, event: Event) {
        self.slot.put(event);
    }

    /// Takes in an event of another replica. Never blocks.
    pub(crate) fn hear(&self, event: Event) {
        self.foreign.put(Foreign::Event(event));
    }

    /// Events of other replicas may have been lost on their way here.
    pub(crate) fn missed(&self) {
        self.foreign.put(Foreign::Missed);
    }

    /// Watches from now on, or from behind the event `last_id`. The stream ends when the worker restarts or the
    /// process stops; whoever resumes then loses nothing without being told.
    pub async fn watch(&self, filter: Filter, last_id: Option<u64>) -> Watch {
        let subscribed = self.teller.send(Subscribe { filter, last_id }).await;
        subscribed.unwrap_or_else(|_crashed| Watch {
            backlog: VecDeque::new(),
            lane: None,
        })
    }
}

/// What a watcher is told, in order.
pub struct Watch {
    backlog: VecDeque<Told>,
    lane: Option<End>,
}

impl Stream for Watch {
    type Item = Told;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Told>> {
        if let Some(told) = self.backlog.pop_front() {
            return Poll::Ready(Some(told));
        }
        self.lane
            .as_mut()
            .map_or(Poll::Ready(None), |lane| lane.poll_next(cx))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("backlog", &self.backlog.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
