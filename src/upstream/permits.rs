//! Admission: how many requests are under way, per host and in all, and how many may wait.
//!
//! A permit is taken for each hop and lives as long as the body of the last one. Host before total: whoever holds a
//! place in the total never waits for a host, so one slow host cannot block the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Entries of the host table beyond which idle ones are dropped.
const IDLE_HOSTS: usize = 128;

/// What a client that was turned away is told to wait.
const COME_BACK: Duration = Duration::from_secs(5);

/// The counters.
pub(crate) struct Permits {
    total: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
    waiting: AtomicUsize,
    limits: Limits,
}

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Permits per host and port.
    pub(crate) per_host: usize,
    /// Permits in all.
    pub(crate) in_all: usize,
    /// Waiting requests in all.
    pub(crate) queue: usize,
    /// Longest wait.
    pub(crate) wait: Duration,
}

/// The right to have one request under way; given back when dropped.
pub(crate) struct Permit {
    _host: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Permits {
    /// All permits free.
    pub(crate) fn new(limits: Limits) -> Self {
        let limits = Limits {
            per_host: limits.per_host.min(Semaphore::MAX_PERMITS),
            in_all: limits.in_all.min(Semaphore::MAX_PERMITS),
            ..limits
        };
        Self {
            total: Arc::new(Semaphore::new(limits.in_all)),
            hosts: Mutex::default(),
            waiting: AtomicUsize::new(0),
            limits,
        }
    }

    /// Requests under way.
    pub(crate) fn in_use(&self) -> usize {
        self.limits.in_all.saturating_sub(self.total.available_permits())
    }

    /// Takes a permit for a host, waiting if the queue has room; otherwise, and after the longest wait, `Overloaded`.
    pub(crate) async fn take(&self, host: &str) -> Result<Permit, Fault> {
        let semaphore = self.host(host);
        if let Some(permit) = self.take_now(&semaphore) {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting, self.limits.queue)
            .ok_or_else(|| overloaded("too many requests wait for upstream already"))?;
        let both = async {
            let host = semaphore.acquire_owned().await.ok()?;
            let total = Arc::clone(&self.total).acquire_owned().await.ok()?;
            Some(Permit {
                _host: host,
                _total: total,
            })
        };
        tokio::time::timeout(self.limits.wait, both)
            .await
            .ok()
            .flatten()
            .ok_or_else(|| overloaded("no upstream connection became free in time"))
    }

    fn take_now(&self, host: &Arc<Semaphore>) -> Option<Permit> {
        let host = Arc::clone(host).try_acquire_owned().ok()?;
        let total = Arc::clone(&self.total).try_acquire_owned().ok()?;
        Some(Permit {
            _host: host,
            _total: total,
        })
    }

    /// The host's semaphore. The table holds it weakly: without permits and waiters it is gone.
    fn host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(host).and_then(Weak::upgrade) {
            return known;
        }
        if hosts.len() >= IDLE_HOSTS {
            hosts.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let fresh = Arc::new(Semaphore::new(self.limits.per_host));
        hosts.insert(host.to_owned(), Arc::downgrade(&fresh));
        fresh
    }
}

fn overloaded(what: &str) -> Fault {
    Fault::new(Kind::Overloaded, what).retry_after(COME_BACK)
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let taken = waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            (now < most).then(|| now.saturating_add(1))
        });
        taken.ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use artifactapi_core::fault::Retry;
    use futures_util::FutureExt;

    use super::*;

    fn permits(per_host: usize, in_all: usize, queue: usize, wait: Duration) -> Permits {
        Permits::new(Limits {
            per_host,
            in_all,
            queue,
            wait,
        })
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_full_host_does_not_block_another() {
        let permits = permits(1, 8, 8, LONG);
        let _held = permits.take("a:80").await.unwrap();
        let mut waits = Box::pin(permits.take("a:80"));
        assert!(waits.as_mut().now_or_never().is_none());
        let _other = permits.take("b:80").await.unwrap();
        assert_eq!(permits.in_use(), 2);
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_permit_that_is_given_back() {
        let permits = permits(4, 1, 8, LONG);
        let held = permits.take("a:80").await.unwrap();
        let mut waits = Box::pin(permits.take("b:80"));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(held);
        let _second = waits.await.unwrap();
        assert_eq!(permits.in_use(), 1);
        assert_eq!(permits.waiting.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once() {
        let permits = permits(1, 1, 1, LONG);
        let _held = permits.take("a:80").await.unwrap();
        let mut waits = Box::pin(permits.take("a:80"));
        assert!(waits.as_mut().now_or_never().is_none());
        let fault = permits.take("a:80").await.err().unwrap();
        assert_eq!(
            (fault.kind, fault.retry),
            (Kind::Overloaded, Retry::After(COME_BACK))
        );
        drop(waits);
        assert_eq!(permits.waiting.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_an_end() {
        let permits = permits(1, 1, 1, LONG);
        let _held = permits.take("a:80").await.unwrap();
        let fault = permits.take("a:80").await.err().unwrap();
        assert_eq!(fault.kind, Kind::Overloaded);
    }

    #[tokio::test]
    async fn more_than_can_be_counted_is_no_limit() {
        let permits = permits(usize::MAX, usize::MAX, usize::MAX, Duration::MAX);
        let _held = permits.take("a:80").await.unwrap();
        assert_eq!(permits.in_use(), 1);
    }

    #[tokio::test]
    async fn the_table_forgets_idle_hosts() {
        let permits = permits(1, 1, 1, LONG);
        for number in 0..1000 {
            drop(permits.take(&format!("h{number}:80")).await.unwrap());
        }
        assert!(permits.hosts.lock().unwrap().len() <= IDLE_HOSTS);
    }
}
