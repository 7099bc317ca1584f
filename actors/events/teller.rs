//! The kept actor behind [`Events`](super::Events). A panic costs it its ring and its watchers, never its latest id.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::{Actor, Context, Handler, Message, MessageResult, Supervised};
use artifactapi_core::Clock;
use artifactapi_core::event::Event;

use super::lane::{Lane, lane};
use super::{Filter, Told, Watch};
use crate::inbox::{Inbox, Slot};
use crate::keeper::Kept;

/// Events kept for those who resume.
pub(super) const RING: usize = 4096;

/// What comes from other replicas.
pub(crate) enum Foreign {
    Event(Event),
    /// Some events did not arrive.
    Missed,
}

pub(crate) struct Teller {
    inbox: Inbox<Event>,
    foreign: Inbox<Foreign>,
    /// Where own events go to other replicas.
    outgoing: Option<Slot<Event>>,
    clock: Arc<dyn Clock>,
    /// The latest id; shared by all runs of the actor, so that none comes twice even where the clock goes back.
    last: Arc<AtomicU64>,
    /// Events up to this id are not in the ring any more, or were told by an earlier run or process.
    floor: u64,
    ring: VecDeque<Line>,
    watchers: Vec<Watcher>,
    /// Whether there are watchers here or elsewhere, or have been so lately that they could resume.
    heard: Arc<AtomicBool>,
    /// Lines since there was a watcher.
    unheard: usize,
}

/// A line of the ring.
struct Line {
    /// The first id it stands for; the last is that of `told`.
    first: u64,
    /// Without one it stands for lost events, which concern everybody.
    event: Option<Event>,
    told: Told,
}

struct Watcher {
    filter: Filter,
    lane: Lane,
}

impl Watcher {
    fn wants(&self, line: &Line) -> bool {
        wants(&self.filter, line)
    }
}

fn wants(filter: &Filter, line: &Line) -> bool {
    line.event.as_ref().is_none_or(|event| filter.admits(event))
}

impl Teller {
    pub(crate) fn new(
        (inbox, foreign): (Inbox<Event>, Inbox<Foreign>),
        outgoing: Option<Slot<Event>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut teller = Self {
            // Who watches at other replicas is not known here.
            heard: Arc::new(AtomicBool::new(outgoing.is_some())),
            inbox,
            foreign,
            outgoing,
            clock,
            last: Arc::default(),
            floor: 0,
            ring: VecDeque::new(),
            watchers: Vec::new(),
            unheard: 0,
        };
        teller.floor = teller.next_id();
        teller
    }

    /// Whether anybody may hear what is told.
    pub(crate) fn heard(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.heard)
    }

    fn next_id(&self) -> u64 {
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        let id = now.max(self.last.load(Ordering::Relaxed) + 1);
        self.last.store(id, Ordering::Relaxed);
        id
    }

    /// Tells of an event of this process, here and elsewhere.
    fn tell(&mut self, event: Event) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.put(event.clone());
        }
        self.show(event);
    }

    fn hear(&mut self, foreign: Foreign) {
        match foreign {
            Foreign::Event(event) => self.show(event),
            Foreign::Missed => self.miss(1),
        }
    }

    /// Tells watchers here of an event.
    fn show(&mut self, event: Event) {
        self.own_up();
        // An event is made of words and numbers; that it cannot be written is impossible.
        let Ok(data) = serde_json::to_string(&event) else {
            return;
        };
        let id = self.next_id();
        self.publish(Line {
            first: id,
            told: Told {
                id,
                name: event.kind.as_str(),
                data: data.into(),
            },
            event: Some(event),
        });
    }

    /// Tells of events that did not fit into an inbox. They came somewhat later: behind those that wait in it.
    fn own_up(&mut self) {
        let (own, foreign) = (self.inbox.dropped(), self.foreign.dropped());
        if let Some(outgoing) = &self.outgoing {
            outgoing.lose(own);
        }
        self.miss(own.saturating_add(foreign));
    }

    fn miss(&mut self, lost: u64) {
        if lost > 0 {
            let first = self.next_id();
            let id = first.saturating_add(lost - 1);
            self.last.store(id, Ordering::Relaxed);
            self.publish(Line {
                first,
                event: None,
                told: Told::missed(first, id),
            });
        }
    }

    fn publish(&mut self, line: Line) {
        self.watchers
            .retain(|watcher| !watcher.wants(&line) || watcher.lane.tell(line.first, &line.told));
        if self.watchers.is_empty() && self.outgoing.is_none() {
            self.unheard += 1;
            if self.unheard >= RING {
                self.heard.store(false, Ordering::Relaxed);
            }
        }
        self.ring.push_back(line);
        if self.ring.len() > RING
            && let Some(oldest) = self.ring.pop_front()
        {
            self.floor = oldest.told.id;
        }
    }

    fn subscribe(&mut self, filter: Filter, last_id: Option<u64>) -> Watch {
        let backlog = last_id.map_or_else(VecDeque::new, |last| self.since(last, &filter));
        self.heard.store(true, Ordering::Relaxed);
        self.unheard = 0;
        let (lane, end) = lane();
        self.watchers.push(Watcher { filter, lane });
        Watch {
            backlog,
            lane: Some(end),
        }
    }

    /// What a watcher is told who knows everything up to `last`.
    fn since(&self, last: u64, filter: &Filter) -> VecDeque<Told> {
        if last > self.floor && !self.ring.iter().any(|line| line.told.id == last) {
            // Another process gave this id: nobody knows what came after it.
            let latest = self.last.load(Ordering::Relaxed);
            return VecDeque::from([Told::missed(latest.min(last.saturating_add(1)), latest)]);
        }
        let passed_by = (last < self.floor).then(|| Told::missed(last + 1, self.floor));
        let kept = self
            .ring
            .iter()
            .filter(|line| line.told.id > last && wants(filter, line))
            .map(|line| line.told.clone());
        passed_by.into_iter().chain(kept).collect()
    }
}

impl Actor for Teller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.inbox.feed(ctx, Self::tell);
        self.foreign.feed(ctx, Self::hear);
    }
}

impl Supervised for Teller {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.ring.clear();
        self.watchers.clear();
        self.floor = self.next_id();
    }
}

impl Kept for Teller {
    const KIND: &'static str = "events";
}

/// Asks for a watch.
#[derive(Message)]
#[rtype(result = "Watch")]
pub(crate) struct Subscribe {
    pub(super) filter: Filter,
    pub(super) last_id: Option<u64>,
}

impl Handler<Subscribe> for Teller {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, message: Subscribe, _: &mut Context<Self>) -> Self::Result {
        // What was told before is not new to this watcher.
        while let Some(event) = self.inbox.take() {
            self.tell(event);
        }
        while let Some(foreign) = self.foreign.take() {
            self.hear(foreign);
        }
        self.own_up();
        MessageResult(self.subscribe(message.filter, message.last_id))
    }
}
