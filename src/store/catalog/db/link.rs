//! One connection to a PostgreSQL server. Every answer is waited for by the clock; a connection whose answer did not
//! come, or whose caller left before it came, is closed and never used again.

use std::time::Duration;

use artifactapi_core::fault::Fault;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Postgres};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::query::Query;
use crate::trouble::catalog;

/// Why a statement has no answer.
pub(super) enum Trouble {
    /// The transaction lost against another one: it deadlocked, or could not be put in order (SQLSTATE 40P01, 40001).
    Lost(sqlx::Error),
    /// The server refused the statement; the connection is well.
    Refused(sqlx::Error),
    /// The connection broke.
    Broken(sqlx::Error),
    /// The answer did not come in time.
    Late,
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(error) | Trouble::Refused(error) | Trouble::Broken(error) => catalog(error),
            Trouble::Late => catalog("the server did not answer in time"),
        }
    }
}

/// A connection, until an answer stays out.
pub(super) struct Link(Option<PgConnection>);

impl Link {
    pub(super) fn new(connection: PgConnection) -> Self {
        Self(Some(connection))
    }

    /// The connection if it may be used again.
    pub(super) fn take(&mut self) -> Option<PgConnection> {
        self.0.take()
    }

    /// All rows of a statement.
    pub(super) async fn all(&mut self, query: &Query<'_>, limit: Duration) -> Result<Vec<PgRow>, Trouble> {
        let mut connection = self.lend()?;
        let done = timeout(limit, query.built::<Postgres>(false).fetch_all(&mut connection)).await;
        self.back(connection, done)
    }

    /// The number of rows that a statement wrote.
    pub(super) async fn run(&mut self, query: &Query<'_>, limit: Duration) -> Result<u64, Trouble> {
        let mut connection = self.lend()?;
        let done = timeout(limit, query.built::<Postgres>(false).execute(&mut connection)).await;
        self.back(connection, done).map(|done| done.rows_affected())
    }

    /// Runs a text of statements without values.
    pub(super) async fn script(&mut self, text: &'static str, limit: Duration) -> Result<(), Trouble> {
        let mut connection = self.lend()?;
        let done = timeout(limit, sqlx::raw_sql(text).execute(&mut connection)).await;
        self.back(connection, done).map(drop)
    }

    /// Whether the server answers.
    pub(super) async fn answers(&mut self, limit: Duration) -> bool {
        let Ok(mut connection) = self.lend() else {
            return false;
        };
        let done = timeout(limit, connection.ping()).await;
        self.back(connection, done).is_ok()
    }

    /// While it is lent, nothing is here: a caller who leaves meanwhile takes the connection along.
    fn lend(&mut self) -> Result<PgConnection, Trouble> {
        let gone = || Trouble::Broken(sqlx::Error::WorkerCrashed);
        self.0.take().ok_or_else(gone)
    }

    fn back<T>(
        &mut self,
        connection: PgConnection,
        done: Result<sqlx::Result<T>, Elapsed>,
    ) -> Result<T, Trouble> {
        let trouble = match done {
            Ok(Ok(value)) => {
                self.0 = Some(connection);
                return Ok(value);
            }
            Ok(Err(error)) => judged(error),
            Err(_) => Trouble::Late,
        };
        if matches!(trouble, Trouble::Lost(_) | Trouble::Refused(_)) {
            self.0 = Some(connection);
        }
        Err(trouble)
    }
}

/// What an error says about the connection. Classes 08 and 57P are of servers that go down or end a session.
fn judged(error: sqlx::Error) -> Trouble {
    let code = match &error {
        sqlx::Error::Database(told) => told.code().unwrap_or_default().into_owned(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => return Trouble::Refused(error),
        _ => return Trouble::Broken(error),
    };
    match code.as_str() {
        "40001" | "40P01" => Trouble::Lost(error),
        code if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
            Trouble::Broken(error)
        }
        _ => Trouble::Refused(error),
    }
}
