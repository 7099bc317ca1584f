//! The stores, opened together: each part embedded in the data folder, or on the server that the settings name. The
//! layout of the folder is decided here and nowhere else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::clock::{Clock, SystemClock};
use artifactapi_core::config::Config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_io::Io;
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::blobs::s3::Bucket;
use artifactapi_store::failpoints;
use artifactapi_store::hot::memory::Memory;
use artifactapi_store::hot::redis::Redis;
use artifactapi_store::lock::{DirLock, lock};
use artifactapi_store::memo::Memos;
use artifactapi_store::spool::Spools;
use artifactapi_store::tie;

use super::database::Database;

/// The folder of spools in the data folder.
const SPOOLS: &str = "spools";
/// The folder of derived documents in the data folder.
const PAGES: &str = "pages";

/// How old the work of another process must be to count as left behind, where several share a store.
const ABANDONED: Duration = Duration::from_hours(24);

/// The derived documents on the disk.
pub(super) fn memos(config: &Config) -> Memos {
    Memos::open(config.store.data_dir.join(PAGES), config.cache.pages_disk_bytes)
}

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
    pub(super) database: Database,
    lock: Option<DirLock>,
}

impl Stores {
    /// Takes the data folder for this process alone, brings the catalog to this version's form, and opens everything.
    pub async fn open(config: &Config) -> Result<Self, Fault> {
        let io = sockets()?;
        let folder = &config.store.data_dir;
        let held = lock(folder)?;
        made(&folder.join(SPOOLS))?;
        let database = Database::open(config, &io).await?;
        let blobs: Arc<dyn Blobs> = match &config.s3.endpoint {
            Some(_) => Arc::new(Bucket::open(&config.s3, &io, folder.join(SPOOLS)).await?),
            None => Arc::new(Folder::open(folder.clone())?),
        };
        let stores = Self::around(io, database, blobs, Some(held), config)?.armed()?;
        tie::tied(stores.catalog.as_ref(), stores.blobs.as_ref()).await?;
        Ok(stores)
    }

    /// Opens what is there for reading, beside servers that may use it. Makes no file and no folder (SQLite may make its
    /// `-shm` anew where a server has crashed).
    pub async fn open_read_only(config: &Config) -> Result<Self, Fault> {
        let io = sockets()?;
        let folder = &config.store.data_dir;
        let database = Database::open_read_only(config, &io).await?;
        let blobs: Arc<dyn Blobs> = match &config.s3.endpoint {
            Some(_) => Arc::new(Bucket::open_read_only(&config.s3, &io, std::env::temp_dir()).await?),
            None => Arc::new(Folder::open_read_only(folder)?),
        };
        let stores = Self::around(io, database, blobs, None, config)?;
        tie::compared(stores.catalog.as_ref(), stores.blobs.as_ref()).await?;
        Ok(stores)
    }

    fn around(
        io: Io,
        database: Database,
        blobs: Arc<dyn Blobs>,
        lock: Option<DirLock>,
        config: &Config,
    ) -> Result<Self, Fault> {
        let clock = SystemClock::shared();
        let hot: Arc<dyn Hot> = match &config.redis.url {
            Some(_) => Arc::new(Redis::open(&config.redis, &io)?),
            None => Arc::new(Memory::new(Arc::clone(&clock))),
        };
        let spools = config.store.data_dir.join(SPOOLS);
        Ok(Self {
            catalog: database.catalog(),
            blobs,
            hot,
            spools: Arc::new(Spools::with_memory(spools, config.cache.spool_memory_bytes)),
            clock,
            io,
            database,
            lock,
        })
    }

    /// With the points at which tests kill the process, where any are asked for.
    fn armed(mut self) -> Result<Self, Fault> {
        let ports = (self.catalog, self.blobs, self.hot);
        (self.catalog, self.blobs, self.hot) = failpoints::armed(ports)?;
        Ok(self)
    }

    /// Removes what processes that ended half-way left behind: this one has the folder alone and has begun nothing. In a
    /// store that others share, what is young may be theirs.
    pub(crate) async fn sweep(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let theirs = if self.blobs.is_shared() {
            ABANDONED
        } else {
            Duration::ZERO
        };
        let files = self.blobs.sweep(now.minus(theirs)).await?;
        let spools = self.spools.sweep(now).map_err(unreadable)?;
        if files + spools > 0 {
            log::info!(files = files, spools = spools; "removed what an earlier process left behind");
        }
        Ok(())
    }

    /// Whether other processes may use any of it meanwhile.
    pub fn is_shared(&self) -> bool {
        self.catalog.is_shared() || self.blobs.is_shared()
    }

    /// Whether what was opened for reading alone has stayed alone; otherwise what was read of it proves nothing.
    pub fn is_current(&self) -> bool {
        self.database.is_current()
    }

    /// Closes the catalog, then lets the folder go.
    pub async fn close(self) {
        self.database.close().await;
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

#[cfg(test)]
#[path = "stores/tests.rs"]
mod tests;
