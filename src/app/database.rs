//! The database behind the catalog: an SQLite file in the data folder, or a PostgreSQL server that replicas share.

use std::sync::Arc;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::config::Config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::Catalog;
use artifactapi_io::Io;
use artifactapi_store::catalog::postgres::Postgres;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::catalog::transfer::{self, Copied};
use artifactapi_store::vault::Vault;

/// The catalog's file in the data folder.
const CATALOG: &str = "catalog.sqlite";

/// The database of the settings.
pub(super) enum Database {
    /// A file.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

/// Does the same with either database.
macro_rules! either {
    ($database:expr, $catalog:ident => $done:expr) => {
        match $database {
            Database::Sqlite($catalog) => $done,
            Database::Postgres($catalog) => $done,
        }
    };
}

impl Database {
    /// Opens the catalog and brings it to this version's form.
    pub(super) async fn open(config: &Config, io: &Io) -> Result<Self, Fault> {
        let embedded = config.postgresql.host.is_none();
        let vault = Arc::new(Vault::of(&config.store, embedded)?);
        let clock = SystemClock::shared();
        if embedded {
            let file = config.store.data_dir.join(CATALOG);
            return Ok(Self::Sqlite(Sqlite::open_with(&file, clock, vault).await?));
        }
        let server = Postgres::open(&config.postgresql, io, clock, vault).await?;
        Ok(Self::Postgres(server))
    }

    /// Opens a catalog that is there, for reading.
    pub(super) async fn open_read_only(config: &Config, io: &Io) -> Result<Self, Fault> {
        if config.postgresql.host.is_some() {
            let server = Postgres::open_read_only(&config.postgresql, io).await?;
            return Ok(Self::Postgres(server));
        }
        let folder = &config.store.data_dir;
        if !folder.join(CATALOG).is_file() {
            let what = format!("{} holds no catalog", folder.display());
            return Err(Fault::new(Kind::StoreUnavailable, what));
        }
        Ok(Self::Sqlite(Sqlite::open_read_only(&folder.join(CATALOG)).await?))
    }

    pub(super) fn catalog(&self) -> Arc<dyn Catalog> {
        either!(self, catalog => Arc::new(catalog.clone()))
    }

    /// See [`Stores::is_current`](super::Stores::is_current).
    pub(super) fn is_current(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_current(),
            Self::Postgres(_) => true,
        }
    }

    /// Marks it as one that the installation `source` is copied into.
    pub(super) async fn begin_copy(&self, source: &str) -> Result<(), Fault> {
        either!(self, catalog => transfer::begin(catalog, source).await)
    }

    /// Copies its rows into another one.
    pub(super) async fn copy(&self, to: &Self) -> Result<Copied, Fault> {
        either!(self, from => either!(to, to => transfer::rows(from, to).await))
    }

    /// Takes the mark off.
    pub(super) async fn end_copy(&self) -> Result<(), Fault> {
        either!(self, catalog => transfer::end(catalog).await)
    }

    pub(super) async fn close(&self) {
        either!(self, catalog => catalog.close().await);
    }
}
