//! The engine: plans of formats, carried out against the ports. It decides nothing about packages.

mod account;
pub mod admin;
pub mod again;
mod ahead;
mod changes;
mod commit;
mod derived;
pub mod exchange;
mod facts;
mod fetching;
mod flying;
pub mod fsck;
mod meaning;
mod obtain;
mod pages;
mod publish;
mod read;
mod redirect;
mod relay;
mod replicas;
mod respond;
mod serve;
mod shelf;
mod store;
mod table;
mod target;
mod together;
pub mod transfer;

use std::sync::Arc;
use std::time::Duration;

use artifactapi_actors::handles::Handles;
use artifactapi_core::Fault;
use artifactapi_core::clock::Clock;
use artifactapi_core::config::Cache;
use artifactapi_core::entry::{Entry, Lifetime};
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::port::upstream::Upstream;
use artifactapi_store::memo::Memos;
use artifactapi_store::spool::Spool;

pub use account::Observer;
pub use replicas::Hooks;
use shelf::Shelf;
use table::Table;

/// What an engine is made of.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The truth.
    pub catalog: Arc<dyn Catalog>,
    /// The bytes.
    pub blobs: Arc<dyn Blobs>,
    /// The hints.
    pub hot: Arc<dyn Hot>,
    /// The way to strangers.
    pub upstream: Arc<dyn Upstream>,
    /// The workers. They are started with the engine's [`Hooks`].
    pub handles: Handles,
    /// Derived documents on the disk.
    pub memos: Arc<Memos>,
    /// Sizes and times of caches.
    pub settings: Cache,
    /// How long a link to a stored object is good.
    pub link_lifetime: Duration,
    /// Told of every finished request.
    pub observer: Observer,
    /// What the workers were started with.
    pub hooks: Hooks,
}

/// The engine.
pub struct Engine {
    shared: Arc<Shared>,
}

/// What every request needs.
pub(crate) struct Shared {
    clock: Arc<dyn Clock>,
    catalog: Arc<dyn Catalog>,
    blobs: Arc<dyn Blobs>,
    upstream: Arc<dyn Upstream>,
    handles: Handles,
    table: Arc<Table>,
    shelf: Shelf,
    pages: derived::Pages,
    observer: Observer,
    link_lifetime: Duration,
    /// How long a refresh may keep a client with a copy at hand waiting.
    patience: Duration,
    /// How long a client waits for an index of which there is no copy.
    index_patience: Duration,
}

impl Engine {
    /// Puts an engine together and reads the repositories.
    pub async fn new(parts: Parts) -> Result<Self, Fault> {
        let Parts {
            clock,
            catalog,
            blobs,
            hot,
            upstream,
            handles,
            memos,
            settings,
            link_lifetime,
            observer,
            hooks,
        } = parts;
        hooks.table.reload(catalog.as_ref()).await?;
        let negative = Duration::from_secs(settings.negative_seconds);
        let shelf = Shelf::new(Arc::clone(&catalog), hot, settings.entries, negative);
        let shared = Arc::new(Shared {
            clock,
            catalog,
            blobs,
            upstream,
            handles,
            table: Arc::clone(&hooks.table),
            shelf,
            pages: derived::Pages::new(settings.pages_bytes, memos),
            observer,
            link_lifetime,
            patience: Duration::from_secs(settings.refresh_wait_seconds),
            index_patience: Duration::from_secs(settings.index_wait_seconds),
        });
        hooks.belong_to(&shared)?;
        Ok(Self { shared })
    }
}

impl Shared {
    /// A new identity, ordered by time.
    fn new_id(&self) -> uuid::Uuid {
        let micros = u64::try_from(self.clock.now().0).unwrap_or_default();
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or_default() * 1000;
        let at = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        uuid::Uuid::new_v7(at)
    }

    /// Removes an object that no row names. Failing leaves an orphan for the collector.
    async fn discard(&self, object: &ObjectName) {
        if let Err(fault) = self.blobs.delete(object).await {
            log::warn!(object = object.as_str(); "an unused object stays for the collector: {fault:?}");
        }
    }

    /// An entry's object is not in the store, or not all of it: what was cached is forgotten, so that the next request fetches it.
    async fn lost(&self, entry: &Entry) -> Fault {
        log::error!(object = entry.object.as_str(); "an object is missing from the blob store, or a part of it");
        match self.catalog.condemn(&entry.object).await {
            Ok(dropped) => {
                // The entry may be one that another replica has replaced, and then its row is not among these.
                let ids = dropped.iter().map(|entry| &entry.id);
                self.shelf.forget(ids.chain([&entry.id]));
                self.handles.replicas.changed();
                if dropped.is_empty() && entry.lifetime != Lifetime::Hosted {
                    return replaced();
                }
            }
            Err(fault) => log::error!("a missing object is not condemned: {fault:?}"),
        }
        Fault::new(Kind::StoreUnavailable, "the stored bytes are missing").retry_after(Duration::from_secs(1))
    }
}

/// What was in memory of an entry is older than the catalog; looking once more helps.
fn replaced() -> Fault {
    Fault {
        retry: Retry::Now,
        ..Fault::new(Kind::Internal, "the object was replaced meanwhile")
    }
}

/// Runs work that blocks or computes for long off the workers.
async fn blocking<T, F>(work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Fault> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Fault::ours(
            Kind::Internal,
            "a document could not be worked on",
            error,
        ))
    })
}

/// Streams part of a whole spool.
fn spooled(spool: Arc<Spool>, span: std::ops::Range<u64>) -> ByteStream {
    use futures_util::stream;
    Box::pin(stream::try_unfold((spool, span), |(spool, span)| async move {
        if span.is_empty() {
            return Ok(None);
        }
        let most = usize::try_from(span.end - span.start)
            .unwrap_or(usize::MAX)
            .min(256 << 10);
        let (reading, at) = (Arc::clone(&spool), span.start);
        let read = move || {
            reading
                .read_at(at, most)
                .map_err(|e| Fault::ours(Kind::StoreUnavailable, "the spool cannot be read", e))
        };
        let piece = blocking(read).await?;
        if piece.is_empty() {
            return Err(Fault::new(
                Kind::Internal,
                "the spool is shorter than what was fetched",
            ));
        }
        let next = span.start + piece.len() as u64..span.end;
        Ok(Some((piece, (spool, next))))
    }))
}
