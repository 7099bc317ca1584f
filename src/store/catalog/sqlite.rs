//! The catalog embedded: SQLite in one file, one writer, many readers.
//!
//! What is acknowledged is on the disk (`synchronous=FULL`). Every transaction that writes begins as a writer, so
//! that it never fails half-way for having read first. One process per file is the data folder's lock's business.

mod quiet;
mod turn;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::{Clock, Time};
use sqlx::ConnectOptions as _;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use self::quiet::Quiet;
use self::turn::Turn;
use super::{migrate, secrets};
use crate::trouble::catalog;
use crate::vault::{KEY_FILE, Vault};

/// Connections for reading.
const READERS: u32 = 8;
/// How long to wait for a lock that another process holds, and for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements slower than this are logged.
const SLOW: Duration = Duration::from_secs(1);
/// Begins a transaction as a writer.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// A transaction of either pool.
pub(super) type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;

/// A catalog in a file. Clones share its connections.
#[derive(Clone)]
pub struct Sqlite {
    pub(super) read: SqlitePool,
    pub(super) write: SqlitePool,
    pub(super) vault: Option<Arc<Vault>>,
    clock: Arc<dyn Clock>,
    /// Where it was opened for reading and no process had it open.
    quiet: Option<Quiet>,
}

impl Sqlite {
    /// Opens the file, makes it if it is missing (readable by its owner alone), and migrates it. The key of its
    /// secrets lies beside it, in a file of its own.
    pub async fn open(file: &Path) -> Result<Self, Fault> {
        let vault = Vault::own(&file.with_file_name(KEY_FILE))?;
        Self::open_with(file, SystemClock::shared(), Arc::new(vault)).await
    }

    /// Like [`open`](Self::open), with the clock that says when a blob lost its last entry, and with the keys of its
    /// secrets. Keys that are not those of the catalog are refused.
    pub async fn open_with(file: &Path, clock: Arc<dyn Clock>, vault: Arc<Vault>) -> Result<Self, Fault> {
        let turn = Turn::of(file, PATIENCE).await?;
        turn.make(file).map_err(catalog)?;
        let options = options_for(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let write = pool(options.clone(), 1).await?;
        let mut tx = write.begin_with(BEGIN_WRITE).await.map_err(catalog)?;
        migrate::apply(&mut tx, migrate::SQLITE, clock.now()).await?;
        tx.commit().await.map_err(catalog)?;
        let read = pool(options.pragma("query_only", "ON"), READERS).await?;
        let catalog = Self {
            read,
            write,
            vault: Some(Arc::clone(&vault)),
            clock,
            quiet: None,
        };
        secrets::check(&catalog, &vault).await?;
        drop(turn);
        Ok(catalog)
    }

    /// Opens an existing file without writing to it, beside a server or alone. Every method that would write fails.
    /// Where no process has it open, no file is made beside it either; [`is_current`](Self::is_current) says whether
    /// that lasted. Secrets stay sealed.
    pub async fn open_read_only(file: &Path) -> Result<Self, Fault> {
        let quiet = Quiet::of(file).map_err(catalog)?;
        let options = options_for(file)
            .read_only(true)
            .immutable(quiet.is_some())
            .pragma("query_only", "ON");
        let read = pool(options, 2).await?;
        let mut db = read.acquire().await.map_err(catalog)?;
        migrate::verify(&mut db, migrate::SQLITE).await?;
        drop(db);
        Ok(Self {
            write: read.clone(),
            read,
            vault: None,
            clock: SystemClock::shared(),
            quiet,
        })
    }

    /// Whether what is read is what the file holds. Not so where it was opened for reading alone and another process
    /// has changed it since: what was read then may never have been true together.
    pub fn is_current(&self) -> bool {
        self.quiet.as_ref().is_none_or(Quiet::lasts)
    }

    /// Closes all connections; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Begins a transaction that excludes every other writer. Dropped without commit, it leaves nothing.
    pub(super) async fn begin(&self) -> Result<Transaction, Fault> {
        self.write.begin_with(BEGIN_WRITE).await.map_err(catalog)
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }
}

impl Catalog for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn is_shared(&self) -> bool {
        false
    }
}

fn options_for(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Warn, SLOW)
}

async fn pool(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool, Fault> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(catalog)
}

#[cfg(test)]
mod tests;
