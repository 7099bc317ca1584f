//! Lanes: the bounded way to one watcher. Its sender never waits; what does not fit becomes one span of missed ids.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Told;

/// What may wait for a watcher.
pub(super) const LENGTH: usize = 512;

#[derive(Default)]
struct Road {
    waiting: VecDeque<Told>,
    /// First and last id that did not fit; they follow all that waits, and nothing is added before they are told.
    missed: Option<(u64, u64)>,
    closed: bool,
    waker: Option<Waker>,
}

type Shared = Arc<Mutex<Road>>;

/// The worker's end.
pub(super) struct Lane(Shared);

/// The watcher's end.
pub(super) struct End(Shared);

/// A lane.
pub(super) fn lane() -> (Lane, End) {
    let road = Shared::default();
    (Lane(Arc::clone(&road)), End(road))
}

impl Lane {
    /// Tells the watcher of what has the ids from `first` to its own; `false` if the watcher has gone.
    pub(super) fn tell(&self, first: u64, told: &Told) -> bool {
        let mut road = lock(&self.0);
        if road.closed {
            return false;
        }
        match road.missed {
            Some((from, _)) => road.missed = Some((from, told.id)),
            None if road.waiting.len() < LENGTH => road.waiting.push_back(told.clone()),
            None => road.missed = Some((first, told.id)),
        }
        wake(road);
        true
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut road = lock(&self.0);
        road.closed = true;
        wake(road);
    }
}

impl End {
    /// What is told next; `None` when the worker has gone and nothing waits.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Told>> {
        let mut road = lock(&self.0);
        if let Some(told) = road.waiting.pop_front() {
            return Poll::Ready(Some(told));
        }
        if let Some((from, to)) = road.missed.take() {
            return Poll::Ready(Some(Told::missed(from, to)));
        }
        if road.closed {
            return Poll::Ready(None);
        }
        road.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.0).closed = true;
    }
}

fn lock(road: &Shared) -> MutexGuard<'_, Road> {
    road.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the watcher with the lock given back.
fn wake(mut road: MutexGuard<'_, Road>) {
    let waker = road.waker.take();
    drop(road);
    if let Some(waker) = waker {
        waker.wake();
    }
}
