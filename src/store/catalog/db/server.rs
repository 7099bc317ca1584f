//! PostgreSQL: connections to a server that may be away, slow, or gone half-way.
//!
//! The pool is our own, for what a request waits for must be bounded even where the server has stopped without a word:
//! connections come back without a round trip, those with an answer outstanding never do, and after a failed attempt
//! to connect one caller at a time tries again while the others are told at once.

mod health;
mod pool;

use std::time::Duration;

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_io::Io;
use sqlx::postgres::PgConnectOptions;

use self::pool::{Lease, Pool};
use super::link::Trouble;
use super::query::Query;
use super::row::Row;
use crate::trouble::catalog;

/// Rows put into one statement.
pub(super) const ROWS: usize = 200;

/// How often to take another connection when the one that was idle is broken.
const TRIES: u32 = 3;

/// How long to wait for a text of several statements.
const MIGRATION: Duration = Duration::from_mins(30);
/// How long to wait for the first connection of all.
const REACH: Duration = Duration::from_secs(15);

/// Whatever the database's own setting is.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(in crate::catalog) struct Patience {
    /// For a connection, made or free.
    acquire: Duration,
    /// For a statement that reads.
    read: Duration,
    /// For a statement that writes; longer than the server waits for a lock.
    write: Duration,
    /// For a statement that reads or writes very many rows.
    slow: Duration,
}

impl Patience {
    pub(in crate::catalog) fn new(slow: Duration) -> Self {
        Self {
            acquire: Duration::from_millis(1_500),
            read: Duration::from_millis(1_500),
            write: Duration::from_secs(5),
            slow,
        }
    }

    fn writing(&self, query: &Query<'_>) -> Duration {
        if query.slow { self.slow } else { self.write }
    }

    /// For tests of what is right rather than when, on a machine with other things to do.
    #[cfg(test)]
    pub(in crate::catalog) fn endless() -> Self {
        let long = Duration::from_mins(1);
        Self {
            acquire: long,
            read: long,
            write: long,
            slow: long,
        }
    }
}

/// Connections to a server.
#[derive(Clone)]
pub(in crate::catalog) struct Server {
    pool: Pool,
    io: Io,
    patience: Patience,
}

/// A transaction.
pub(in crate::catalog) struct Tx {
    lease: Lease,
    io: Io,
    patience: Patience,
    /// A statement has failed, so that there is nothing to commit any more.
    failed: bool,
    /// It lost against another one.
    lost: bool,
}

impl Server {
    /// Connections as needed, at most so many.
    pub(in crate::catalog) fn new(options: PgConnectOptions, most: u32, patience: Patience, io: &Io) -> Self {
        Self {
            pool: Pool::new(options, most),
            io: io.clone(),
            patience,
        }
    }

    /// Makes sure that the server is there. At the start there is more time than later.
    pub(in crate::catalog) async fn reach(&self) -> Result<(), Fault> {
        let lease = self.pool.lease(true, REACH);
        self.io.enter(lease).await.map(drop)
    }

    pub(super) async fn all(&self, query: &Query<'_>) -> Result<Vec<Row>, Fault> {
        let limit = if query.slow {
            self.patience.slow
        } else {
            self.patience.read
        };
        self.io
            .enter(async {
                let mut tries = 1;
                loop {
                    // Where a long wait is allowed, first make sure that anybody is there.
                    let mut lease = self.pool.lease(query.slow, self.patience.acquire).await?;
                    match lease.link.all(query, limit).await {
                        Ok(rows) => return Ok(rows.into_iter().map(Row::Server).collect()),
                        Err(trouble) => {
                            self.pool.note(&trouble);
                            if !matches!(trouble, Trouble::Broken(_)) || tries >= TRIES {
                                return Err(trouble.into());
                            }
                        }
                    }
                    tries += 1;
                }
            })
            .await
    }

    /// The statement is not begun again where the connection breaks: it may have been done. So the connection is tried
    /// before.
    pub(super) async fn run(&self, query: &Query<'_>) -> Result<u64, Fault> {
        let limit = self.patience.writing(query);
        self.io
            .enter(async {
                let mut tries = 1;
                loop {
                    let mut lease = self.pool.lease(true, self.patience.acquire).await?;
                    match lease.link.run(query, limit).await {
                        Ok(rows) => return Ok(rows),
                        Err(Trouble::Lost(_)) if tries < TRIES => tries += 1,
                        Err(trouble) => {
                            self.pool.note(&trouble);
                            return Err(trouble.into());
                        }
                    }
                }
            })
            .await
    }

    pub(super) async fn begin(&self) -> Result<Tx, Fault> {
        self.io
            .enter(async {
                let mut tries = 1;
                loop {
                    let mut lease = self.pool.lease(false, self.patience.acquire).await?;
                    lease.open = true;
                    match lease.link.script(BEGIN, self.patience.read).await {
                        Ok(()) => return Ok(self.tx(lease)),
                        Err(trouble) => {
                            self.pool.note(&trouble);
                            if !matches!(trouble, Trouble::Broken(_)) || tries >= TRIES {
                                return Err(trouble.into());
                            }
                        }
                    }
                    tries += 1;
                }
            })
            .await
    }

    fn tx(&self, lease: Lease) -> Tx {
        Tx {
            lease,
            io: self.io.clone(),
            patience: self.patience,
            failed: false,
            lost: false,
        }
    }

    pub(super) async fn close(&self) {
        self.io.enter(self.pool.close()).await;
    }
}

impl Tx {
    pub(super) async fn all(&mut self, query: &Query<'_>) -> Result<Vec<Row>, Fault> {
        let limit = self.patience.writing(query);
        let done = self.io.enter(self.lease.link.all(query, limit)).await;
        let rows = self.noted(done)?;
        Ok(rows.into_iter().map(Row::Server).collect())
    }

    pub(super) async fn run(&mut self, query: &Query<'_>) -> Result<u64, Fault> {
        let limit = self.patience.writing(query);
        let done = self.io.enter(self.lease.link.run(query, limit)).await;
        self.noted(done)
    }

    /// A migration may take long, and waits for others'.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), Fault> {
        let done = self.io.enter(self.lease.link.script(text, MIGRATION)).await;
        self.noted(done)
    }

    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        if self.failed {
            let what = "a transaction of the catalog went on after a failure";
            return Err(Fault::ours(Kind::Internal, what, "not committed"));
        }
        match self
            .io
            .enter(self.lease.link.script("COMMIT", self.patience.write))
            .await
        {
            Ok(()) => {
                self.lease.open = false;
                Ok(())
            }
            Err(Trouble::Lost(error)) => {
                self.lost = true;
                Err(catalog(error))
            }
            // It may hold or not. Whoever asks again finds out; nobody may take it for undone.
            Err(trouble) => {
                self.lease.pool().note(&trouble);
                Err(trouble.into())
            }
        }
    }

    /// Where the server does not say that it is undone, the connection is closed, which undoes it as well.
    pub(super) async fn rollback(&mut self) {
        let done = self
            .io
            .enter(self.lease.link.script("ROLLBACK", self.patience.read))
            .await;
        self.lease.open = done.is_err();
    }

    pub(super) fn lost(&mut self) {
        self.lost = true;
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost
    }

    fn noted<T>(&mut self, done: Result<T, Trouble>) -> Result<T, Fault> {
        done.map_err(|trouble| {
            self.failed = true;
            self.lost |= matches!(trouble, Trouble::Lost(_));
            self.lease.pool().note(&trouble);
            trouble.into()
        })
    }
}
