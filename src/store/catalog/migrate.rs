//! Migrations: numbered files, applied in order within one transaction that excludes every other writer, each
//! recorded with the digest of its text.
//!
//! A database that a newer program has migrated is refused, and so is one whose history differs from ours; nothing
//! is ever migrated backwards.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::{Digest, Time};
use sqlx::SqliteConnection;

use crate::trouble::catalog;

/// One step of the schema.
#[derive(Clone)]
pub(super) struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

#[cfg(test)]
impl Migration {
    /// A step for tests.
    pub(super) fn test(version: i64, text: &'static str) -> Self {
        let name = "test";
        Self { version, name, text }
    }
}

/// Every step for SQLite, in order.
pub(super) const SQLITE: &[Migration] = &[Migration {
    version: 1,
    name: "catalog",
    text: include_str!("../../../migrations/sqlite/0001_catalog.sql"),
}];

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, \
    name text NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL)";
const HAS_HISTORY: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
const APPLIED: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";
const RECORD: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// Applies what is missing of `known`. The connection is within a transaction that excludes other writers.
pub(super) async fn apply(tx: &mut SqliteConnection, known: &[Migration], now: Time) -> Result<(), Fault> {
    sqlx::query(HISTORY).execute(&mut *tx).await.map_err(catalog)?;
    for migration in missing(tx, known).await? {
        log::info!(version = migration.version, name = migration.name; "migrating the catalog");
        sqlx::raw_sql(migration.text)
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
        sqlx::query(RECORD)
            .bind(migration.version)
            .bind(migration.name)
            .bind(checksum(migration.text))
            .bind(now.0)
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
    }
    Ok(())
}

/// Refuses a database that is not exactly at the last of `known`.
pub(super) async fn verify(db: &mut SqliteConnection, known: &[Migration]) -> Result<(), Fault> {
    let history: i64 = sqlx::query_scalar(HAS_HISTORY)
        .fetch_one(&mut *db)
        .await
        .map_err(catalog)?;
    if history == 0 || !missing(db, known).await?.is_empty() {
        return Err(refused(
            "the catalog is not migrated yet: start the server or run `artifactapi migrate` first",
        ));
    }
    Ok(())
}

/// Which of `known` are still to be applied, after checking that those applied are ours.
async fn missing<'m>(db: &mut SqliteConnection, known: &'m [Migration]) -> Result<&'m [Migration], Fault> {
    let applied: Vec<(i64, String)> = sqlx::query_as(APPLIED).fetch_all(db).await.map_err(catalog)?;
    if applied.len() > known.len() {
        return Err(refused(
            "the catalog was migrated by a newer version of this program: use that version",
        ));
    }
    for (ours, (version, digest)) in known.iter().zip(&applied) {
        if ours.version != *version || checksum(ours.text) != *digest {
            let what = format!("migration {version} of the catalog is not the one this program knows");
            return Err(refused(what));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

fn checksum(text: &str) -> String {
    Digest::sha256(text.as_bytes()).to_string()
}

fn refused(what: impl Into<String>) -> Fault {
    Fault::new(Kind::StoreUnavailable, what)
}
