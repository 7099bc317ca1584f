//! Migrations: numbered files, applied in order within one transaction that excludes every other migrator, each
//! recorded with the digest of its text.
//!
//! A database that a newer program has migrated is refused, and so is one whose history differs from ours; nothing
//! is ever migrated backwards.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::{Digest, Time};

use super::db::{Db, Query, Row};
use super::rows::Columns;

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

/// Every step for PostgreSQL, in order. Steps of one number make the same of both databases.
pub(super) const POSTGRESQL: &[Migration] = &[Migration {
    version: 1,
    name: "catalog",
    text: include_str!("../../../migrations/postgresql/0001_catalog.sql"),
}];

/// Keeps other migrators out until the transaction ends, however long that takes; SQLite's transactions do so anyway.
const ALONE: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
    SELECT pg_advisory_xact_lock(4702111234474983745)";
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, \
    name text NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL)";
const HAS_HISTORY_SQLITE: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
const HAS_HISTORY_POSTGRESQL: &str = "SELECT count(*) FROM pg_catalog.pg_tables \
    WHERE schemaname = current_schema() AND tablename = 'schema_migrations'";
const APPLIED: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";
const RECORD: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// Applies what is missing of `known`.
pub(super) async fn apply(db: &Db, known: &[Migration], now: Time) -> Result<(), Fault> {
    let mut tx = db.begin().await?;
    if let Db::Server(_) = db {
        tx.script(ALONE).await?;
    }
    tx.script(HISTORY).await?;
    let applied = tx.all(Query::new(APPLIED)).await?;
    for migration in missing(&applied, known)? {
        log::info!(version = migration.version, name = migration.name; "migrating the catalog");
        tx.script(migration.text).await?;
        let record = Query::new(RECORD)
            .bind(migration.version)
            .bind(migration.name)
            .bind(checksum(migration.text))
            .bind(now.0);
        tx.run(record).await?;
    }
    tx.commit().await
}

/// Whether a database is exactly at the last of `known`. Refuses one that is not ours.
pub(super) async fn is_current(db: &Db, known: &[Migration]) -> Result<bool, Fault> {
    let has_history = match db {
        Db::Embedded(_) => HAS_HISTORY_SQLITE,
        Db::Server(_) => HAS_HISTORY_POSTGRESQL,
    };
    let history = db.one(Query::new(has_history).slow()).await?;
    if history.get::<i64>(0)? == 0 {
        return Ok(false);
    }
    let applied = db.all(Query::new(APPLIED).slow()).await?;
    Ok(missing(&applied, known)?.is_empty())
}

/// Refuses a database that is not exactly at the last of `known`.
pub(super) async fn verify(db: &Db, known: &[Migration]) -> Result<(), Fault> {
    if is_current(db, known).await? {
        return Ok(());
    }
    Err(refused(
        "the catalog is not migrated yet: start the server or run `artifactapi migrate` first",
    ))
}

/// Which of `known` are still to be applied, after checking that those applied are ours.
fn missing<'m>(applied: &[Row], known: &'m [Migration]) -> Result<&'m [Migration], Fault> {
    if applied.len() > known.len() {
        return Err(refused(
            "the catalog was migrated by a newer version of this program: use that version",
        ));
    }
    for (ours, row) in known.iter().zip(applied) {
        let mut columns = Columns::of(row);
        let (version, digest) = (columns.next::<i64>()?, columns.next::<&str>()?);
        if ours.version != version || checksum(ours.text) != digest {
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
