//! Hints on a Redis server, which replicas share.
//!
//! The server may be away, slow or emptied at any moment. So every call has one limit in all, a failure is remembered
//! for a moment instead of being waited for by everyone, and a connection whose call was not finished is closed: what
//! it would still say must answer nobody else. Nothing here keeps anything for later, and nothing is tried twice.

mod circuit;
mod listener;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use artifactapi_core::config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::hot::{Hearing, Hot};
use artifactapi_io::Io;
use async_trait::async_trait;
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo as _, RedisError, cmd,
};
use deadpool_redis::{Connection, Manager, Pool};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::circuit::{Change, Circuit};
use self::listener::Listener;
use super::hearing::{UNHEARD, hearing};

/// Takes or extends a lease. EVAL sends the few bytes of the text each time: one way there and back, and none of the
/// errors of a server that has forgotten its scripts.
const ACQUIRE: &str = "\
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Gives a lease back.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// Longest life of a value in milliseconds; the server refuses what would overflow its clock.
const LONGEST: u128 = 1 << 50;

/// A server, or none for a while.
pub struct Redis {
    io: Io,
    client: Client,
    pool: Pool,
    circuit: Circuit,
    prefix: String,
    wait: Duration,
}

impl Redis {
    /// Prepares for a server without asking it anything: it may be away now and come later. Fails with
    /// [`Kind::Internal`] for a URL that makes no sense.
    pub fn open(settings: &config::Redis, io: &Io) -> Result<Self, Fault> {
        let info = place(settings)?;
        let wait = Duration::from_millis(settings.wait_milliseconds.max(1));
        // Each call has its own limit over everything; the library's own limits would only add to it.
        let unlimited = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let manager = Manager::new_with_config(info.clone(), unlimited).map_err(senseless)?;
        let most = usize::try_from(settings.connections).unwrap_or(usize::MAX);
        let pool = Pool::builder(manager).max_size(most.max(1)).build();
        Ok(Self {
            io: io.clone(),
            client: Client::open(info).map_err(senseless)?,
            pool: pool.map_err(senseless)?,
            circuit: Circuit::default(),
            prefix: settings.prefix.clone(),
            wait,
        })
    }

    /// Values, leases and channels may have the same names.
    fn name(&self, space: &str, key: &str) -> Vec<u8> {
        [self.prefix.as_str(), space, key].concat().into_bytes()
    }

    /// Asks the server, unless it was silent a moment ago.
    async fn call<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, Fault> {
        if !self.circuit.admits(Instant::now()) {
            return Err(away("it did not answer a moment ago"));
        }
        self.ask(command).await
    }

    /// Asks the server, whatever is remembered of it, and remembers how that went.
    async fn ask<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, Fault> {
        let exchange = async { timeout(self.wait, exchange(&self.pool, command)).await };
        let trouble = match self.io.enter(exchange).await {
            Ok(Ok(answer)) => return Ok(self.answered(answer)),
            Ok(Err(Trouble::Refused(error))) => return Err(away(self.answered(error))),
            Ok(Err(Trouble::Gone(cause))) => cause,
            Err(_) => "it did not answer in time".to_owned(),
        };
        if self.circuit.failure(Instant::now()) == Some(Change::Opened) {
            log::warn!("redis is away: {trouble}");
        }
        // The others lead to the same place; each would cost its own wait to find out.
        drop(self.pool.retain(|_, _| false));
        Err(away(trouble))
    }

    fn answered<T>(&self, answer: T) -> T {
        if self.circuit.success() == Some(Change::Closed) {
            log::info!("redis is back");
        }
        answer
    }
}

#[async_trait]
impl Hot for Redis {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.call(cmd("GET").arg(self.name("value:", key))).await
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Fault> {
        let mut set = cmd("SET");
        set.arg(self.name("value:", key)).arg(value);
        self.call(set.arg("PX").arg(milliseconds(ttl))).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.call(cmd("DEL").arg(self.name("value:", key))).await
    }

    async fn acquire(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Fault> {
        let mut script = cmd("EVAL");
        script.arg(ACQUIRE).arg(1).arg(self.name("lease:", key));
        self.call(script.arg(owner).arg(milliseconds(ttl))).await
    }

    async fn release(&self, key: &str, owner: &str) -> Result<(), Fault> {
        let mut script = cmd("EVAL");
        script.arg(RELEASE).arg(1).arg(self.name("lease:", key));
        self.call(script.arg(owner)).await
    }

    /// Where this fails, the message may have been heard all the same, or not; listeners get a gap only if the server
    /// was away for them too.
    async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Fault> {
        let mut publish = cmd("PUBLISH");
        publish.arg(self.name("channel:", channel)).arg(message);
        self.call(&publish).await
    }

    /// Never fails. Returns as soon as the server has taken the subscription; where it does not within the wait, the
    /// stream begins with a gap once it has.
    async fn listen(&self, channel: &str) -> Result<Hearing, Fault> {
        let (told, receiver) = broadcast::channel(UNHEARD);
        let listener = Listener {
            client: self.client.clone(),
            channel: self.name("channel:", channel),
            wait: self.wait,
            told,
        };
        let starting = async {
            let (subscribed, awaited) = oneshot::channel();
            let mut task = JoinSet::new();
            task.spawn(listener.run(subscribed));
            timeout(self.wait, awaited).await.ok();
            task
        };
        let task = self.io.enter(starting).await;
        Ok(Box::pin(self.io.enter(hearing(receiver, task))))
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// Asks in any case, so that health tells what is, and not what was a moment ago.
    async fn check(&self) -> Result<(), Fault> {
        self.ask(&cmd("PING")).await
    }

    fn kind(&self) -> &'static str {
        "redis"
    }
}

/// Why there is no answer of use.
enum Trouble {
    /// No connection, or none any more.
    Gone(String),
    /// The server is there and refuses this very command.
    Refused(RedisError),
}

async fn exchange<T: FromRedisValue>(pool: &Pool, command: &Cmd) -> Result<T, Trouble> {
    let connection = pool.get().await;
    let connection = connection.map_err(|error| Trouble::Gone(error.to_string()))?;
    let mut lent = Lent(Some(connection));
    let answer = match &mut lent.0 {
        Some(connection) => command.query_async(connection).await,
        None => return Err(Trouble::Gone("the connection is taken".to_owned())),
    };
    match answer {
        Err(error) if error.code().is_none() => Err(Trouble::Gone(error.to_string())),
        // Such as the words of a server that takes no writes any more: another connection may lead to a better one.
        Err(error) if error.is_unrecoverable_error() => Err(Trouble::Refused(error)),
        Err(error) => {
            lent.give_back();
            Err(Trouble::Refused(error))
        }
        Ok(answer) => {
            lent.give_back();
            Ok(answer)
        }
    }
}

/// A connection of the pool that is closed when dropped, unless it was given back: the caller may go, or run out of
/// time, between question and answer.
struct Lent(Option<Connection>);

impl Lent {
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Connection::take(connection));
        }
    }
}

/// Where the server is. The cause of a failure never holds the URL, which may hold a password.
fn place(settings: &config::Redis) -> Result<ConnectionInfo, Fault> {
    let url = settings.url.as_ref().ok_or_else(|| senseless("there is none"))?;
    let info = url.0.as_str().into_connection_info().map_err(senseless)?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(senseless(
            "it asks for TLS without proof of the server's identity",
        ));
    }
    let settings = TcpSettings::default().set_nodelay(true);
    Ok(info.set_tcp_settings(settings))
}

fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis().clamp(1, LONGEST)).unwrap_or(1)
}

fn away(cause: impl std::fmt::Display) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the store of hints failed", cause).retry_after(circuit::PAUSE)
}

fn senseless(cause: impl std::fmt::Display) -> Fault {
    Fault::ours(Kind::Internal, "the URL of Redis makes no sense", cause)
}
