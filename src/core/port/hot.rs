//! Hot: short-lived hints, and what replicas tell each other. Losing it at any moment costs work, never data and never
//! a wrong answer.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;

use super::Result;

/// What a listener hears on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message, of another replica or of this one.
    Message(Vec<u8>),
    /// Messages may have been missed since the last one: the store was away. Comes once it is back.
    Gap,
}

/// What is heard on a channel, without end: a lost connection is made anew behind it.
pub type Hearing = Pin<Box<dyn futures_core::Stream<Item = Heard> + Send>>;

/// A store of values that expire, and channels between replicas.
#[async_trait]
pub trait Hot: Send + Sync + 'static {
    /// The value of a key that has not expired.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Sets a value for `ttl`.
    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<()>;

    /// Forgets a key.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Takes or extends a lease for `owner`; `false` if another holds it.
    async fn acquire(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool>;

    /// Gives a lease back, if `owner` still holds it.
    async fn release(&self, key: &str, owner: &str) -> Result<()>;

    /// Tells every replica that listens now, this one too. Nobody else will ever hear it.
    async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<()>;

    /// Listens to a channel from now on. What is published after this has returned is heard, or a gap is.
    async fn listen(&self, channel: &str) -> Result<Hearing>;

    /// Whether other processes can hear and be heard.
    fn is_shared(&self) -> bool;

    /// Whether the store can be reached.
    async fn check(&self) -> Result<()>;

    /// The kind of store, for health (`memory`, `redis`).
    fn kind(&self) -> &'static str;
}
