//! The circuit breaker of one upstream, as a pure machine over reports and the time.
//!
//! It opens after five failures in a row, or when at least half of twenty or more reports within 30 s are failures.
//! Open for 10 s, doubling up to 5 min, it then lets one probe through, whose report closes it or opens it again.
//! What counts as a failure is [`crate::Fault::trips_breaker`]'s business.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// Failures in a row that open the breaker.
const IN_A_ROW: u32 = 5;
/// Fewest reports within the window for their ratio to count.
const ENOUGH: u32 = 20;
/// Seconds of reports that are looked at.
const WINDOW: i64 = 30;
/// How long it stays open the first time.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// How long it stays open at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long a probe may take to report before another may go.
const PROBE_LIMIT: Duration = Duration::from_mins(1);
/// What a caller is told to wait while a probe runs: its report is due at any moment.
const PROBE_RETRY: Duration = Duration::from_secs(1);

/// Whether a request may go upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Closed,
    /// It may, as the one probe: its report decides, so the breaker is half-open from now on.
    Probe,
    /// It may not.
    Open {
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Requests go through.
    Closed,
    /// Requests are refused.
    Open,
    /// A probe is on its way, or the next request will be it.
    HalfOpen,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Breaker {
    phase: Phase,
    pause: Duration,
    in_a_row: u32,
    window: VecDeque<Second>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Since when.
    Open(Time),
    /// Since when the probe is on its way.
    Probing(Time),
}

/// Reports of one second, so that memory stays bounded at any rate.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    at: i64,
    successes: u32,
    failures: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    pub fn new() -> Self {
        Self {
            phase: Phase::Closed,
            pause: FIRST_PAUSE,
            in_a_row: 0,
            window: VecDeque::new(),
        }
    }

    /// Asks for passage. After [`Gate::Probe`] the caller owes a report; without one the gate frees itself after 60 s.
    pub fn gate(&mut self, now: Time) -> Gate {
        match self.phase {
            Phase::Closed => Gate::Closed,
            Phase::Open(since) if !over(since, self.pause, now) => Gate::Open {
                retry_after: since.plus(self.pause).since(now),
            },
            Phase::Probing(since) if !over(since, PROBE_LIMIT, now) => Gate::Open {
                retry_after: PROBE_RETRY,
            },
            Phase::Open(_) | Phase::Probing(_) => {
                self.phase = Phase::Probing(now);
                Gate::Probe
            }
        }
    }

    /// Reports that upstream answered as it should; gives the new state if that changed it.
    ///
    /// While the breaker is open, reports of requests that began earlier change nothing.
    pub fn success(&mut self, now: Time) -> Option<State> {
        match self.state(now) {
            State::Closed => {
                self.in_a_row = 0;
                self.count(now, true);
                None
            }
            State::Open => None,
            State::HalfOpen => {
                *self = Self::new();
                Some(State::Closed)
            }
        }
    }

    /// Reports that upstream failed; gives the new state if that changed it.
    pub fn failure(&mut self, now: Time) -> Option<State> {
        match self.state(now) {
            State::Closed => {
                self.in_a_row += 1;
                self.count(now, false);
                (self.in_a_row >= IN_A_ROW || self.mostly_failing()).then(|| self.open(now))
            }
            State::Open => None,
            State::HalfOpen => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Some(self.open(now))
            }
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Time) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open(since) if !over(since, self.pause, now) => State::Open,
            Phase::Open(_) | Phase::Probing(_) => State::HalfOpen,
        }
    }

    /// Takes over where another replica's breaker of the same upstream stands, at `now`.
    ///
    /// One that is open or probes holds this one open until `until`, the longest pause at most; then this one sends
    /// its own probe. A later end of its own stays, and a probe of its own decides. One that closed closes this one.
    pub fn adopt(&mut self, state: State, until: Time, now: Time) {
        match state {
            State::Closed => *self = Self::new(),
            State::Open | State::HalfOpen if !self.knows_better(until, now) => self.open_until(until, now),
            State::Open | State::HalfOpen => {}
        }
    }

    fn knows_better(&self, until: Time, now: Time) -> bool {
        match self.phase {
            Phase::Closed => false,
            Phase::Open(since) => self.state(now) == State::Open && since.plus(self.pause) >= until,
            Phase::Probing(since) => !over(since, PROBE_LIMIT, now),
        }
    }

    /// The pause is one that its own failures could have made, and none that is shorter than before.
    fn open_until(&mut self, until: Time, now: Time) {
        let rest = until.since(now).min(LONGEST_PAUSE);
        while self.pause < rest {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        self.open(now.plus(rest).minus(self.pause));
    }

    /// Until when others should hold back: the end of the pause; while a probe is on its way, the first pause from now.
    /// `None` while it is closed.
    pub fn held_until(&self, now: Time) -> Option<Time> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open(since) => Some(since.plus(self.pause)),
            Phase::Probing(_) => Some(now.plus(FIRST_PAUSE)),
        }
    }

    fn open(&mut self, now: Time) -> State {
        self.phase = Phase::Open(now);
        self.in_a_row = 0;
        self.window.clear();
        State::Open
    }

    fn count(&mut self, now: Time, success: bool) {
        let at = now.0.div_euclid(1_000_000);
        self.window
            .retain(|second| second.at.abs_diff(at) < WINDOW.unsigned_abs());
        if self.window.back().is_none_or(|second| second.at != at) {
            self.window.push_back(Second {
                at,
                ..Second::default()
            });
        }
        if let Some(second) = self.window.back_mut() {
            let counter = if success {
                &mut second.successes
            } else {
                &mut second.failures
            };
            *counter = counter.saturating_add(1);
        }
    }

    fn mostly_failing(&self) -> bool {
        let sum = |count: fn(&Second) -> u32| self.window.iter().map(count).fold(0, u32::saturating_add);
        let (successes, failures) = (sum(|s| s.successes), sum(|s| s.failures));
        successes.saturating_add(failures) >= ENOUGH && failures >= successes
    }
}

/// Whether `limit` has passed since a moment. One that lies further ahead than the limit itself was noted before
/// the clock was set back, and must not hold anything up.
fn over(since: Time, limit: Duration, now: Time) -> bool {
    now >= since.plus(limit) || since > now.plus(limit)
}

#[cfg(test)]
mod tests;
