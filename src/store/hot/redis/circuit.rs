//! Leaves a server alone that has failed a moment ago.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a server is left alone.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Closed, or open until a time at which one call may try.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<Option<Instant>>);

/// What an outcome has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The server is gone.
    Opened,
    /// The server is back.
    Closed,
}

impl Circuit {
    /// Whether a call may be made now. Of those that ask after the pause one may, and the next a pause later: the one
    /// that tries may never report, because its caller has gone.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut until = self.held();
        match *until {
            None => true,
            Some(end) if now < end => false,
            Some(_) => {
                *until = Some(now + PAUSE);
                true
            }
        }
    }

    /// A call had an answer.
    pub(super) fn success(&self) -> Option<Change> {
        self.held().take().map(|_| Change::Closed)
    }

    /// A call had none.
    pub(super) fn failure(&self, now: Instant) -> Option<Change> {
        let before = self.held().replace(now + PAUSE);
        before.is_none().then_some(Change::Opened)
    }

    fn held(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_call_a_pause_is_admitted_until_one_succeeds() {
        let circuit = Circuit::default();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(circuit.admits(at(0)) && circuit.admits(at(0)));
        assert_eq!(circuit.failure(at(0)), Some(Change::Opened));
        assert_eq!(circuit.failure(at(10)), None);
        assert!(!circuit.admits(at(11)) && !circuit.admits(at(1009)));
        assert!(circuit.admits(at(1010)), "the probe");
        assert!(!circuit.admits(at(1011)) && !circuit.admits(at(2009)));
        assert!(circuit.admits(at(2010)), "the probe before has never reported");
        assert_eq!(circuit.success(), Some(Change::Closed));
        assert_eq!(circuit.success(), None);
        assert!(circuit.admits(at(2011)) && circuit.admits(at(2011)));
    }
}
