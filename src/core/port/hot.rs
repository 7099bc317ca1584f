//! Hot: short-lived hints. Losing it at any moment costs work, never data and never a wrong answer.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;

/// A store of values that expire.
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

    /// Whether the store can be reached.
    async fn check(&self) -> Result<()>;

    /// The kind of store, for health (`memory`, `redis`).
    fn kind(&self) -> &'static str;
}
