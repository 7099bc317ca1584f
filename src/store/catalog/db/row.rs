//! A row of either database.

use artifactapi_core::fault::Fault;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};

use crate::trouble::catalog;

/// A row.
pub(in crate::catalog) enum Row {
    Embedded(SqliteRow),
    Server(PgRow),
}

/// What a column may be read as on both databases.
pub(in crate::catalog) trait Cell<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Cell<'r> for T where T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}

impl Row {
    /// The column at a place, counted from 0.
    pub(in crate::catalog) fn get<'r, T: Cell<'r>>(&'r self, at: usize) -> Result<T, Fault> {
        match self {
            Self::Embedded(row) => row.try_get(at).map_err(catalog),
            Self::Server(row) => row.try_get(at).map_err(catalog),
        }
    }
}
