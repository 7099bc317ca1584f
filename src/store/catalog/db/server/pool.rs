//! The connections, and who has them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use artifactapi_core::fault::Fault;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::health::Health;
use crate::catalog::db::link::{Link, Trouble};
use crate::trouble::catalog;

/// The longest to wait for a connection to a server that answers others all the time.
const BUSY: Duration = Duration::from_secs(10);
/// How many connections are made at once; a server that has just come back has enough to do.
const MADE_AT_ONCE: usize = 4;
/// A connection that was used this long ago is tried before it is used.
const SURE: Duration = Duration::from_secs(1);
/// How long such a trial may take.
const PING: Duration = Duration::from_millis(500);
/// A connection that nobody used for so long is closed.
const STALE: Duration = Duration::from_mins(5);
/// How long a connection may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The connections to one server. Clones share them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    permits: Arc<Semaphore>,
    /// The last used comes last.
    idle: Mutex<Vec<Idle>>,
    /// Told when a connection came back.
    returned: Notify,
    making: Semaphore,
    health: Health,
}

struct Idle {
    connection: PgConnection,
    /// Until when it needs no trial.
    sure: Instant,
    /// When it is to be closed.
    stale: Instant,
}

/// A connection for as long as this lives. It goes back by itself, unless it is broken or a transaction is open on it.
pub(super) struct Lease {
    pub(super) link: Link,
    /// Whether a transaction is open.
    pub(super) open: bool,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

/// Since when, and how long, somebody waits for a connection.
#[derive(Clone, Copy)]
struct Wait {
    began: Instant,
    limit: Duration,
}

impl Wait {
    fn new(limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
        }
    }
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions, most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            options,
            permits: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::default(),
            returned: Notify::new(),
            making: Semaphore::new(MADE_AT_ONCE),
            health: Health::default(),
        }))
    }

    /// A connection, made or free, within the limit; one that the server has just answered on, if it is to be `tried`.
    pub(super) async fn lease(&self, tried: bool, limit: Duration) -> Result<Lease, Fault> {
        let wait = Wait::new(limit);
        let permit = self
            .within(wait, Arc::clone(&self.0.permits).acquire_owned())
            .await;
        let permit = permit
            .ok_or_else(|| catalog("all connections are in use"))?
            .map_err(|_| catalog("the catalog is closed"))?;
        let link = self.within(wait, self.link(tried, wait)).await;
        let link = link.ok_or_else(|| catalog("no connection came free in time"))??;
        Ok(self.leased(link, permit))
    }

    /// Waits for something; `None` where the server was not heard of for as long as the limit. One that is busy
    /// answering others is not away.
    async fn within<T>(&self, wait: Wait, something: impl Future<Output = T>) -> Option<T> {
        let mut something = std::pin::pin!(something);
        let mut until = wait.began + wait.limit;
        loop {
            if let Ok(got) = timeout_at(until, &mut something).await {
                return Some(got);
            }
            let seen = self.0.health.last_seen().unwrap_or(wait.began);
            let later = (seen + wait.limit).min(wait.began + BUSY.max(wait.limit));
            if later <= until {
                return None;
            }
            until = later;
        }
    }

    /// A connection that is idle, or comes back before one can be made, or is made.
    async fn link(&self, tried: bool, wait: Wait) -> Result<Link, Fault> {
        loop {
            while let Some(idle) = self.pop() {
                let mut link = Link::new(idle.connection);
                if (!tried && Instant::now() < idle.sure) || link.answers(PING).await {
                    return Ok(link);
                }
                // Most likely it is the same with the others.
                self.idle().clear();
            }
            tokio::select! {
                biased;
                () = self.0.returned.notified() => {}
                slot = self.0.making.acquire() => {
                    let made = self.connect(wait).await;
                    drop(slot);
                    return made;
                }
            }
        }
    }

    fn leased(&self, link: Link, permit: OwnedSemaphorePermit) -> Lease {
        Lease {
            link,
            open: false,
            pool: self.clone(),
            _permit: permit,
        }
    }

    async fn connect(&self, wait: Wait) -> Result<Link, Fault> {
        let Some(attempt) = self.0.health.attempt(Instant::now()) else {
            return Err(catalog("the server could not be reached a moment ago"));
        };
        match self.within(wait, self.0.options.connect()).await {
            Some(Ok(connection)) => {
                self.0.health.seen(Instant::now());
                Ok(Link::new(connection))
            }
            Some(Err(error)) => {
                attempt.failed(Instant::now());
                Err(catalog(error))
            }
            None => {
                attempt.failed(Instant::now());
                Err(catalog("the server did not answer in time"))
            }
        }
    }

    /// Takes a lesson about the idle connections from one that was in use.
    pub(super) fn note(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Broken(_) => self.idle().clear(),
            Trouble::Late => {
                let now = Instant::now();
                self.idle().iter_mut().for_each(|idle| idle.sure = now);
            }
            Trouble::Lost(_) | Trouble::Refused(_) => {}
        }
    }

    /// Closes the connections that are idle, the others when they come back; gives none any more.
    pub(super) async fn close(&self) {
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        let goodbyes = idle
            .into_iter()
            .map(|idle| timeout(GOODBYE, idle.connection.close()));
        for goodbye in futures_util::future::join_all(goodbyes).await {
            if let Ok(Err(error)) = goodbye {
                log::debug!(error:% = error; "a connection of the catalog could not be closed in good order");
            }
        }
    }

    fn pop(&self) -> Option<Idle> {
        let mut idle = self.idle();
        let now = Instant::now();
        idle.retain(|idle| now < idle.stale);
        idle.pop()
    }

    fn push(&self, connection: PgConnection) {
        if self.0.permits.is_closed() {
            return;
        }
        let now = Instant::now();
        self.0.health.seen(now);
        self.idle().push(Idle {
            connection,
            sure: now + SURE,
            stale: now + STALE,
        });
        self.0.returned.notify_one();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.open
            && let Some(connection) = self.link.take()
        {
            self.pool.push(connection);
        }
    }
}
