//! Whether the server can be reached, as the last attempt to connect found it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long nobody tries after a failed attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// What the last attempt found. At first the server is there.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Down>>);

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
    /// Whether the others wait for this one.
    alone: bool,
}

impl Health {
    /// Whether an attempt makes sense now: always while the server is there; otherwise one at a time, after a pause.
    pub(super) fn attempt(&self, now: Instant) -> Option<Attempt<'_>> {
        let mut down = self.down();
        let alone = match &mut *down {
            None => false,
            Some(down) if down.tried || now < down.until => return None,
            Some(down) => {
                down.tried = true;
                true
            }
        };
        drop(down);
        Some(Attempt { health: self, alone })
    }

    fn down(&self) -> MutexGuard<'_, Option<Down>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    pub(super) fn succeeded(mut self) {
        self.alone = false;
        *self.health.down() = None;
    }

    pub(super) fn failed(mut self, now: Instant) {
        self.alone = false;
        let until = now + PAUSE;
        *self.health.down() = Some(Down { until, tried: false });
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.alone
            && let Some(down) = &mut *self.health.down()
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
        let (first, second) = (health.attempt(now).unwrap(), health.attempt(now).unwrap());
        first.failed(now);
        assert!(health.attempt(now).is_none());
        let probe = health.attempt(later).unwrap();
        assert!(health.attempt(later).is_none(), "one at a time");
        drop(probe);
        health.attempt(later).unwrap().failed(later);
        assert!(health.attempt(later).is_none());
        second.succeeded();
        assert!(health.attempt(later).is_some() && health.attempt(later).is_some());
    }
}
