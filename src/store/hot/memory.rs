//! Hints in this process's memory, for one replica alone.
//!
//! Bounded: where it is full it forgets, which costs work and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use artifactapi_core::fault::Fault;
use artifactapi_core::port::hot::{Heard, Hearing, Hot};
use artifactapi_core::{Clock, Time};
use async_trait::async_trait;
use tokio::sync::broadcast;

use super::hearing::{UNHEARD, hearing};

/// Most values, and most leases, held at once.
const CAPACITY: usize = 100_000;

/// Values and leases that expire by the given clock.
pub struct Memory {
    clock: Arc<dyn Clock>,
    values: Mutex<Expiring<Vec<u8>>>,
    leases: Mutex<Expiring<String>>,
    channels: Mutex<HashMap<String, broadcast::Sender<Heard>>>,
}

impl Memory {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            values: Mutex::new(Expiring::new(capacity)),
            leases: Mutex::new(Expiring::new(capacity)),
            channels: Mutex::default(),
        }
    }
}

#[async_trait]
impl Hot for Memory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(held(&self.values).get(key, self.clock.now()).cloned())
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Fault> {
        held(&self.values).put(key, value, ttl, self.clock.now());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        held(&self.values).items.remove(key);
        Ok(())
    }

    async fn acquire(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Fault> {
        let now = self.clock.now();
        let mut leases = held(&self.leases);
        if leases.get(key, now).is_some_and(|holder| holder != owner) {
            return Ok(false);
        }
        leases.put(key, owner.to_owned(), ttl, now);
        Ok(true)
    }

    async fn release(&self, key: &str, owner: &str) -> Result<(), Fault> {
        let mut leases = held(&self.leases);
        if leases.items.get(key).is_some_and(|(holder, _)| holder == owner) {
            leases.items.remove(key);
        }
        Ok(())
    }

    async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Fault> {
        let mut channels = held(&self.channels);
        if let Some(listeners) = channels.get(channel)
            && listeners.send(Heard::Message(message)).is_err()
        {
            // All have gone.
            channels.remove(channel);
        }
        Ok(())
    }

    async fn listen(&self, channel: &str) -> Result<Hearing, Fault> {
        let mut channels = held(&self.channels);
        channels.retain(|_, listeners| listeners.receiver_count() > 0);
        let made = || broadcast::Sender::new(UNHEARD);
        let listeners = channels.entry(channel.to_owned()).or_insert_with(made);
        Ok(Box::pin(hearing(listeners.subscribe(), ())))
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bounded map whose items end.
struct Expiring<T> {
    items: HashMap<String, (T, Time)>,
    capacity: usize,
}

impl<T> Expiring<T> {
    fn new(capacity: usize) -> Self {
        Self {
            items: HashMap::new(),
            capacity,
        }
    }

    fn get(&self, key: &str, now: Time) -> Option<&T> {
        let (value, until) = self.items.get(key)?;
        (*until > now).then_some(value)
    }

    fn put(&mut self, key: &str, value: T, ttl: Duration, now: Time) {
        if self.items.len() >= self.capacity && !self.items.contains_key(key) {
            self.make_room(now);
        }
        self.items.insert(key.to_owned(), (value, now.plus(ttl)));
    }

    /// Drops what has ended, and where that is little, any half of the rest; so it is seldom called.
    fn make_room(&mut self, now: Time) {
        self.items.retain(|_, (_, until)| *until > now);
        if self.items.len() > self.capacity / 2 {
            let mut keep = false;
            self.items.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Time {
            Time(self.0.load(Ordering::SeqCst))
        }
    }

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[tokio::test]
    async fn it_keeps_every_promise_of_its_port() {
        let make = || async { Memory::new(artifactapi_core::clock::SystemClock::shared()) };
        crate::conformance::hot(make).await;
        let memory = make().await;
        crate::conformance::hot_between(&memory, &memory).await;
    }

    #[tokio::test]
    async fn channels_nobody_listens_to_are_forgotten() {
        let hot = Memory::new(artifactapi_core::clock::SystemClock::shared());
        let kept = || held(&hot.channels).len();
        hot.publish("of nobody", vec![]).await.unwrap();
        assert_eq!(kept(), 0);
        for n in 0..100 {
            drop(hot.listen(&format!("short {n}")).await.unwrap());
            assert_eq!(kept(), 1, "what was left before is swept");
        }
        hot.publish("short 99", vec![]).await.unwrap();
        assert_eq!(kept(), 0);
    }

    #[tokio::test]
    async fn values_and_leases_end_by_the_clock() {
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let hot = Memory::new(clock.clone());
        hot.set("a", b"x".to_vec(), second(10)).await.unwrap();
        assert!(hot.acquire("l", "one", second(10)).await.unwrap());
        clock.0.store(9_999_999, Ordering::SeqCst);
        assert!(hot.get("a").await.unwrap().is_some());
        assert!(!hot.acquire("l", "two", second(10)).await.unwrap());
        clock.0.store(10_000_000, Ordering::SeqCst);
        assert_eq!(hot.get("a").await.unwrap(), None);
        assert!(hot.acquire("l", "two", second(10)).await.unwrap());
        assert!(!hot.acquire("l", "one", second(10)).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_store_forgets_what_has_ended_first_and_never_grows() {
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let hot = Memory::with_capacity(clock.clone(), 10);
        for n in 0..8 {
            hot.set(&format!("short {n}"), vec![n], second(1)).await.unwrap();
        }
        hot.set("long", vec![42], second(100)).await.unwrap();
        clock.0.store(2_000_000, Ordering::SeqCst);
        hot.set("ten", vec![], second(100)).await.unwrap();
        hot.set("eleven", vec![], second(100)).await.unwrap();
        assert_eq!(hot.get("long").await.unwrap(), Some(vec![42]));
        for n in 0..100_u8 {
            hot.set(&format!("more {n}"), vec![n], second(100)).await.unwrap();
            assert_eq!(hot.get(&format!("more {n}")).await.unwrap(), Some(vec![n]));
            assert!(held(&hot.values).items.len() <= 10);
        }
    }
}
