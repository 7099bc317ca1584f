//! Databases under the catalog: one layer over SQLite and PostgreSQL, so that every statement stands once.
//!
//! A [`Query`] is a text with values; it runs on a [`Db`], or within a [`Tx`]; a [`Row`] gives its columns by place.
//! What differs stays below here: SQLite has one writer, so that a transaction has the whole database to itself; on
//! PostgreSQL transactions run beside each other, READ COMMITTED, and take [locks](Tx::lock) on rows. Whoever loses
//! against another one there begins again (see `transaction!`).

mod embedded;
mod link;
mod query;
mod row;
mod server;

use std::ops::ControlFlow;
use std::time::Duration;

use artifactapi_core::fault::{Fault, Kind};

pub(super) use self::embedded::Embedded;
pub(super) use self::query::{Query, Value};
pub(super) use self::row::{Cell, Row};
pub(super) use self::server::{Patience, Server};
use crate::trouble::catalog;

/// How often a transaction that lost against another one begins again.
const TRIES: u32 = 8;
/// What it waits before, times the tries so far.
const PAUSE: Duration = Duration::from_millis(5);

/// An open database. Clones share its connections.
#[derive(Clone)]
pub(super) enum Db {
    /// SQLite.
    Embedded(Embedded),
    /// PostgreSQL.
    Server(Server),
}

/// A transaction. Dropped before its end, it leaves nothing.
pub(super) enum Tx {
    /// On SQLite.
    Embedded(embedded::Tx),
    /// On PostgreSQL.
    Server(server::Tx),
}

/// How the work of a transaction ended.
pub(super) enum End<T> {
    /// What it wrote shall hold.
    Commit(T),
    /// It has nothing to write.
    Rollback(T),
}

impl Db {
    /// All rows of a statement that only reads.
    pub(super) async fn all(&self, query: Query<'_>) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Embedded(db) => db.all(&query).await,
            Self::Server(db) => db.all(&query).await,
        }
    }

    /// The first row of a statement that only reads.
    pub(super) async fn first(&self, query: Query<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.all(query).await?.into_iter().next())
    }

    /// The one row of a statement that only reads.
    pub(super) async fn one(&self, query: Query<'_>) -> Result<Row, Fault> {
        self.first(query).await?.ok_or_else(absent)
    }

    /// Runs one writing statement as a transaction of its own; gives the number of rows it wrote.
    pub(super) async fn run(&self, query: Query<'_>) -> Result<u64, Fault> {
        match self {
            Self::Embedded(db) => db.run(&query).await,
            Self::Server(db) => db.run(&query).await,
        }
    }

    /// Begins a transaction that writes. Use `transaction!` rather than this, except where nobody else is about.
    pub(super) async fn begin(&self) -> Result<Tx, Fault> {
        match self {
            Self::Embedded(db) => db.begin().await.map(Tx::Embedded),
            Self::Server(db) => db.begin().await.map(Tx::Server),
        }
    }

    /// Rows that one statement should take at most.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Embedded(_) => embedded::ROWS,
            Self::Server(_) => server::ROWS,
        }
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        match self {
            Self::Embedded(db) => db.close().await,
            Self::Server(db) => db.close().await,
        }
    }
}

impl Tx {
    /// All rows of a statement.
    pub(super) async fn all(&mut self, query: Query<'_>) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Embedded(tx) => tx.all(&query).await,
            Self::Server(tx) => tx.all(&query).await,
        }
    }

    /// The first row of a statement.
    pub(super) async fn first(&mut self, query: Query<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.all(query).await?.into_iter().next())
    }

    /// The one row of a statement.
    pub(super) async fn one(&mut self, query: Query<'_>) -> Result<Row, Fault> {
        self.first(query).await?.ok_or_else(absent)
    }

    /// Runs a statement; gives the number of rows it wrote.
    pub(super) async fn run(&mut self, query: Query<'_>) -> Result<u64, Fault> {
        match self {
            Self::Embedded(tx) => tx.run(&query).await,
            Self::Server(tx) => tx.run(&query).await,
        }
    }

    /// Runs a statement whose only purpose is to lock the rows that it writes as they are. Nothing is to be locked
    /// where no other transaction can be.
    pub(super) async fn lock(&mut self, query: Query<'_>) -> Result<(), Fault> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Server(tx) => tx.run(&query).await.map(drop),
        }
    }

    /// Runs a text of several statements without values.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), Fault> {
        match self {
            Self::Embedded(tx) => tx.script(text).await,
            Self::Server(tx) => tx.script(text).await,
        }
    }

    /// Rows that one statement should take at most.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Embedded(_) => embedded::ROWS,
            Self::Server(_) => server::ROWS,
        }
    }

    /// Another transaction came between: this one is to begin again. Return the fault.
    pub(super) fn lost(&mut self) -> Fault {
        match self {
            Self::Embedded(_) => {}
            Self::Server(tx) => tx.lost(),
        }
        catalog("others changed the same rows over and over")
    }

    /// Commits.
    pub(super) async fn commit(self) -> Result<(), Fault> {
        match self {
            Self::Embedded(tx) => tx.commit().await,
            Self::Server(mut tx) => tx.commit().await,
        }
    }

    /// Ends the transaction as its work did. Goes on where it lost against another one and may begin again.
    pub(super) async fn end<T>(
        mut self,
        outcome: Result<End<T>, Fault>,
        tries: &mut u32,
    ) -> ControlFlow<Result<T, Fault>> {
        let (ended, lost) = match (&mut self, outcome) {
            (_, Ok(End::Rollback(value))) => {
                self.rollback().await;
                return ControlFlow::Break(Ok(value));
            }
            (Self::Embedded(_), Ok(End::Commit(value))) => (self.commit().await.map(|()| value), false),
            (Self::Server(tx), Ok(End::Commit(value))) => (tx.commit().await.map(|()| value), tx.has_lost()),
            (Self::Embedded(_), Err(fault)) => (Err(fault), false),
            (Self::Server(tx), Err(fault)) => {
                let lost = tx.has_lost();
                tx.rollback().await;
                (Err(fault), lost)
            }
        };
        if ended.is_ok() || !lost || *tries >= TRIES {
            return ControlFlow::Break(ended);
        }
        *tries += 1;
        tokio::time::sleep(PAUSE * *tries).await;
        ControlFlow::Continue(())
    }

    async fn rollback(self) {
        if let Self::Server(mut tx) = self {
            tx.rollback().await;
        }
    }
}

/// Runs work within a transaction and gives what it gave: `transaction!(&db, |tx| work(&mut tx))`, where the work is a
/// future of `Result<End<_>, Fault>`. The work is done again from the beginning where the transaction lost against
/// another one; so it must have no effect outside of it.
macro_rules! transaction {
    ($db:expr, |$tx:ident| $work:expr) => {{
        let mut tries = 0;
        loop {
            let mut $tx = match $db.begin().await {
                Ok(begun) => begun,
                Err(fault) => break Err(fault),
            };
            let outcome = $work.await;
            if let std::ops::ControlFlow::Break(done) = $tx.end(outcome, &mut tries).await {
                break done;
            }
        }
    }};
}
pub(super) use transaction;

fn absent() -> Fault {
    Fault::ours(Kind::Internal, "the catalog gave no row where it must", "no row")
}
