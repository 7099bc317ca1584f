//! Whether the server can be reached, as the last attempt to connect found it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long nobody tries after a failed attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of the server. At first it is there.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When it was last heard of.
    seen: Option<Instant>,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    /// When somebody may try again.
    until: Instant,
    /// Whether somebody does.
    tried: bool,
}

/// The right to try to connect. Dropped without a result, it proves nothing.
#[must_use = "its result is what others are told"]
pub(super) struct Attempt<'h> {
    health: &'h Health,
    began: Instant,
    /// Whether the others wait for this one.
    alone: bool,
}

impl Health {
    /// Whether an attempt makes sense now: always while the server is there; otherwise one at a time, after a pause.
    pub(super) fn attempt(&self, now: Instant) -> Option<Attempt<'_>> {
        let mut known = self.known();
        let alone = match &mut known.down {
            None => false,
            Some(down) if down.tried || now < down.until => return None,
            Some(down) => {
                down.tried = true;
                true
            }
        };
        drop(known);
        Some(Attempt {
            health: self,
            began: now,
            alone,
        })
    }

    /// The server has answered.
    pub(super) fn seen(&self, now: Instant) {
        *self.known() = Known {
            seen: Some(now),
            down: None,
        };
    }

    /// When the server has last answered.
    pub(super) fn last_seen(&self) -> Option<Instant> {
        self.known().seen
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It has failed. A server that answered others meanwhile is there nevertheless.
    pub(super) fn failed(mut self, now: Instant) {
        self.alone = false;
        let mut known = self.health.known();
        if known.seen.is_none_or(|seen| seen < self.began) {
            let until = now + PAUSE;
            known.down = Some(Down { until, tried: false });
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.alone
            && let Some(down) = &mut self.health.known().down
        {
            down.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_at_a_time_tries_again_after_a_pause() {
        let (health, now) = (Health::default(), Instant::now());
        let later = now + PAUSE;
        health.attempt(now).unwrap().failed(now);
        assert!(health.attempt(now).is_none());
        let probe = health.attempt(later).unwrap();
        assert!(health.attempt(later).is_none(), "one at a time");
        drop(probe);
        health.attempt(later).unwrap().failed(later);
        assert!(health.attempt(later).is_none());
        health.seen(later);
        assert!(health.attempt(later).is_some() && health.attempt(later).is_some());
    }

    #[test]
    fn a_failure_beside_answers_does_not_keep_others_away() {
        let (health, now) = (Health::default(), Instant::now());
        let slow = health.attempt(now).unwrap();
        health.seen(now + PAUSE);
        slow.failed(now + PAUSE);
        assert!(health.attempt(now + PAUSE).is_some());
    }
}
