//! The stores, opened together: each part embedded in the data folder, or on the server that the settings name. The
//! layout of the folder is decided here and nowhere else.

use std::path::Path;
use std::sync::Arc;

use artifactapi_core::clock::{Clock, SystemClock};
use artifactapi_core::config::Config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_io::Io;
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::failpoints;
use artifactapi_store::hot::memory::Memory;
use artifactapi_store::lock::{DirLock, lock};
use artifactapi_store::spool::Spools;
use artifactapi_store::vault::Vault;

/// The catalog's file in the data folder.
const CATALOG: &str = "catalog.sqlite";
/// The folder of spools in the data folder.
const SPOOLS: &str = "spools";

/// Everything that outlives a request.
pub struct Stores {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the sockets of all pools live.
    pub io: Io,
    /// The truth.
    pub catalog: Arc<dyn Catalog>,
    /// The bytes.
    pub blobs: Arc<dyn Blobs>,
    /// The hints.
    pub hot: Arc<dyn Hot>,
    /// The bytes on their way.
    pub spools: Arc<Spools>,
    sqlite: Sqlite,
    lock: Option<DirLock>,
}

impl Stores {
    /// Takes the data folder for this process alone, brings its catalog to this version's form, and opens everything.
    pub async fn open(config: &Config) -> Result<Self, Fault> {
        let io = sockets()?;
        let folder = &config.store.data_dir;
        let held = lock(folder)?;
        let vault = Arc::new(Vault::of(&config.store, true)?);
        let sqlite = Sqlite::open_with(&folder.join(CATALOG), SystemClock::shared(), vault).await?;
        made(&folder.join(SPOOLS))?;
        let blobs = Folder::open(folder.clone())?;
        Self::around(io, sqlite, blobs, Some(held), config).armed()
    }

    /// Opens what is there for reading, beside a server that may have the folder. Makes no file and no folder (SQLite
    /// may make its `-shm` anew where a server has crashed).
    pub async fn open_read_only(config: &Config) -> Result<Self, Fault> {
        let io = sockets()?;
        let folder = &config.store.data_dir;
        if !folder.join(CATALOG).is_file() {
            let what = format!("{} holds no catalog", folder.display());
            return Err(Fault::new(Kind::StoreUnavailable, what));
        }
        let sqlite = Sqlite::open_read_only(&folder.join(CATALOG)).await?;
        let blobs = Folder::open_read_only(folder)?;
        Ok(Self::around(io, sqlite, blobs, None, config))
    }

    fn around(io: Io, sqlite: Sqlite, blobs: Folder, lock: Option<DirLock>, config: &Config) -> Self {
        let folder = &config.store.data_dir;
        let clock = SystemClock::shared();
        let spools = Spools::with_memory(folder.join(SPOOLS), config.cache.spool_memory_bytes);
        Self {
            catalog: Arc::new(sqlite.clone()),
            blobs: Arc::new(blobs),
            hot: Arc::new(Memory::new(Arc::clone(&clock))),
            spools: Arc::new(spools),
            clock,
            io,
            sqlite,
            lock,
        }
    }

    /// With the points at which tests kill the process, where any are asked for.
    fn armed(mut self) -> Result<Self, Fault> {
        let ports = (self.catalog, self.blobs, self.hot);
        (self.catalog, self.blobs, self.hot) = failpoints::armed(ports)?;
        Ok(self)
    }

    /// Removes what processes that ended half-way left behind: this one has the folder alone and has begun nothing.
    pub(crate) async fn sweep(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let files = self.blobs.sweep(now).await?;
        let spools = self.spools.sweep(now).map_err(unreadable)?;
        if files + spools > 0 {
            log::info!(files = files, spools = spools; "removed what an earlier process left behind");
        }
        Ok(())
    }

    /// Whether what was opened for reading alone has stayed alone; otherwise what was read of it proves nothing.
    pub fn is_current(&self) -> bool {
        self.sqlite.is_current()
    }

    /// Closes the catalog, then lets the folder go.
    pub async fn close(self) {
        self.sqlite.close().await;
        drop(self.lock);
    }
}

/// The runtime of all sockets.
fn sockets() -> Result<Io, Fault> {
    // Every TLS connection of the process takes this provider. Another start in the same process has set it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Io::start()
}

/// The folder, made if it is missing.
fn made(folder: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(folder).map_err(unreadable)
}

/// A folder of this process cannot be used.
fn unreadable(error: std::io::Error) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the data folder cannot be used", error)
}
