//! A store of hints that several rigs share, as if each were a process of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifactapi_core::fault::Kind;
use artifactapi_core::port::hot::{Heard, Hearing, Hot};
use artifactapi_core::{Clock, Fault};
use artifactapi_store::hot::memory::Memory;
use async_trait::async_trait;
use tokio::sync::mpsc;

/// The store. It can be away, and it can lose messages.
pub(crate) struct Common {
    memory: Memory,
    away: AtomicBool,
    refused: AtomicUsize,
    ears: Mutex<Vec<(String, mpsc::UnboundedSender<Heard>)>>,
}

impl Common {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            memory: Memory::new(clock),
            away: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            ears: Mutex::default(),
        })
    }

    /// From now on every call fails, or none does.
    pub(crate) fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often a lease was refused.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// How many listen.
    pub(crate) fn ears(&self) -> usize {
        let mut ears = self.ears.lock().unwrap();
        ears.retain(|(_, ear)| !ear.is_closed());
        ears.len()
    }

    /// Tells all who listen that they may have missed something.
    pub(crate) fn gap(&self) {
        self.tell("", &Heard::Gap);
    }

    fn tell(&self, channel: &str, heard: &Heard) {
        let mut ears = self.ears.lock().unwrap();
        ears.retain(|(on, ear)| {
            let wanted = channel.is_empty() || on == channel;
            !wanted || ear.send(heard.clone()).is_ok()
        });
    }

    fn here(&self) -> Result<(), Fault> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::new(Kind::StoreUnavailable, "the store of hints is away"));
        }
        Ok(())
    }
}

#[async_trait]
impl Hot for Common {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.here()?;
        self.memory.get(key).await
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Fault> {
        self.here()?;
        self.memory.set(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.here()?;
        self.memory.delete(key).await
    }

    async fn acquire(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Fault> {
        self.here()?;
        let taken = self.memory.acquire(key, owner, ttl).await?;
        if !taken {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        Ok(taken)
    }

    async fn release(&self, key: &str, owner: &str) -> Result<(), Fault> {
        self.here()?;
        self.memory.release(key, owner).await
    }

    async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Fault> {
        self.here()?;
        self.tell(channel, &Heard::Message(message));
        Ok(())
    }

    async fn listen(&self, channel: &str) -> Result<Hearing, Fault> {
        self.here()?;
        let (ear, mut heard) = mpsc::unbounded_channel();
        self.ears.lock().unwrap().push((channel.to_owned(), ear));
        Ok(Box::pin(futures_util::stream::poll_fn(move |cx| {
            heard.poll_recv(cx)
        })))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), Fault> {
        self.here()
    }

    fn kind(&self) -> &'static str {
        "common"
    }
}
