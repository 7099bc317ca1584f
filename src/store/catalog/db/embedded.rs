//! SQLite: one connection that writes, several that read.

use artifactapi_core::fault::Fault;
use sqlx::{Sqlite, SqlitePool};

use super::query::Query;
use super::row::Row;
use crate::trouble::catalog;

/// Rows put into one statement.
pub(in crate::catalog) const ROWS: usize = 256;

/// Begins a transaction as a writer, so that it never fails half-way for having read first.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The connections to a file.
#[derive(Clone)]
pub(in crate::catalog) struct Embedded {
    pub(in crate::catalog) read: SqlitePool,
    pub(in crate::catalog) write: SqlitePool,
}

/// A transaction that excludes every other writer.
pub(in crate::catalog) struct Tx(pub(in crate::catalog) sqlx::Transaction<'static, Sqlite>);

impl Embedded {
    pub(super) async fn all(&self, query: &Query<'_>) -> Result<Vec<Row>, Fault> {
        let rows = query.built::<Sqlite>(true).fetch_all(&self.read).await;
        Ok(rows.map_err(catalog)?.into_iter().map(Row::Embedded).collect())
    }

    pub(super) async fn run(&self, query: &Query<'_>) -> Result<u64, Fault> {
        let done = query.built::<Sqlite>(true).execute(&self.write).await;
        Ok(done.map_err(catalog)?.rows_affected())
    }

    pub(super) async fn begin(&self) -> Result<Tx, Fault> {
        self.write.begin_with(BEGIN).await.map(Tx).map_err(catalog)
    }

    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Tx {
    pub(super) async fn all(&mut self, query: &Query<'_>) -> Result<Vec<Row>, Fault> {
        let rows = query.built::<Sqlite>(true).fetch_all(&mut *self.0).await;
        Ok(rows.map_err(catalog)?.into_iter().map(Row::Embedded).collect())
    }

    pub(super) async fn run(&mut self, query: &Query<'_>) -> Result<u64, Fault> {
        let done = query.built::<Sqlite>(true).execute(&mut *self.0).await;
        Ok(done.map_err(catalog)?.rows_affected())
    }

    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), Fault> {
        let done = sqlx::raw_sql(text).execute(&mut *self.0).await;
        done.map(drop).map_err(catalog)
    }

    pub(super) async fn commit(self) -> Result<(), Fault> {
        self.0.commit().await.map_err(catalog)
    }
}
