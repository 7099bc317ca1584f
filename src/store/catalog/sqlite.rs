//! The catalog embedded: SQLite in one file, one writer, many readers.
//!
//! What is acknowledged is on the disk (`synchronous=FULL`). One process per file is the data folder's lock's business.

mod quiet;
mod turn;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Clock;
use artifactapi_core::clock::SystemClock;
use artifactapi_core::fault::Fault;
use sqlx::ConnectOptions as _;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use self::quiet::Quiet;
use self::turn::Turn;
use super::db::{Db, Embedded};
use super::tables::{Dialect, Tables};
use super::{migrate, secrets};
use crate::trouble::catalog;
use crate::vault::{KEY_FILE, Vault};

/// Connections for reading.
const READERS: u32 = 8;
/// How long to wait for a lock that another process holds, and for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements slower than this are logged.
const SLOW: Duration = Duration::from_secs(1);

/// A catalog in a file. Clones share its connections.
pub type Sqlite = Tables<File>;

/// The file of a catalog.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it was opened for reading and no process had it open.
    quiet: Option<Quiet>,
}

impl Dialect for File {
    const NAME: &'static str = "sqlite";
    const SHARED: bool = false;
}

impl Tables<File> {
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
        turn::make(file, &turn).map_err(catalog)?;
        let options = options_for(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let write = pool(options.clone(), 1).await?;
        let read = pool(options.pragma("query_only", "ON"), READERS).await?;
        let db = Db::Embedded(Embedded { read, write });
        migrate::apply(&db, migrate::SQLITE, clock.now()).await?;
        let catalog = Self {
            db,
            vault: Some(Arc::clone(&vault)),
            clock,
            dialect: File { quiet: None },
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
        let write = read.clone();
        let db = Db::Embedded(Embedded { read, write });
        migrate::verify(&db, migrate::SQLITE).await?;
        Ok(Self {
            db,
            vault: None,
            clock: SystemClock::shared(),
            dialect: File { quiet },
        })
    }

    /// Whether what is read is what the file holds. Not so where it was opened for reading alone and another process
    /// has changed it since: what was read then may never have been true together.
    pub fn is_current(&self) -> bool {
        self.dialect.quiet.as_ref().is_none_or(Quiet::lasts)
    }
}

#[cfg(test)]
impl Tables<File> {
    /// The connections themselves.
    pub(super) fn embedded(&self) -> &Embedded {
        match &self.db {
            Db::Embedded(db) => db,
            Db::Server(_) => panic!("a file is no server"),
        }
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
