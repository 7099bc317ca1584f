//! The shelf: entries kept in memory in front of the catalog, and the short memory of what upstream does not have.
//!
//! Only what cannot change behind our back lies here: entries of remotes. What is hosted is read from the catalog.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::fault::Kind;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use moka::sync::Cache;

/// See the module.
pub(crate) struct Shelf {
    entries: Cache<EntryKey, Arc<Entry>>,
    catalog: Arc<dyn Catalog>,
    hot: Arc<dyn Hot>,
    negative_ttl: Duration,
}

impl Shelf {
    pub(crate) fn new(
        catalog: Arc<dyn Catalog>,
        hot: Arc<dyn Hot>,
        size: u64,
        negative_ttl: Duration,
    ) -> Self {
        Self {
            entries: Cache::new(size),
            catalog,
            hot,
            negative_ttl,
        }
    }

    /// The entry of a remote, from memory or the catalog.
    pub(crate) async fn entry(&self, id: &EntryKey) -> Result<Option<Arc<Entry>>, Fault> {
        if let Some(entry) = self.entries.get(id) {
            return Ok(Some(entry));
        }
        let found = self.catalog.entry(id).await?.map(Arc::new);
        if let Some(entry) = &found {
            self.entries.insert(id.clone(), Arc::clone(entry));
        }
        Ok(found)
    }

    /// The entry as the catalog has it now.
    pub(crate) async fn stored(&self, id: &EntryKey) -> Option<Arc<Entry>> {
        self.entries.invalidate(id);
        self.entry(id).await.ok().flatten()
    }

    /// Takes in what the catalog has just committed.
    pub(crate) fn put(&self, entry: &Arc<Entry>) {
        self.entries.insert(entry.id.clone(), Arc::clone(entry));
    }

    /// Forgets entries that were removed.
    pub(crate) fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a EntryKey>) {
        for id in ids {
            self.entries.invalidate(id);
        }
    }

    /// Forgets everything: repositories changed.
    pub(crate) fn clear(&self) {
        self.entries.invalidate_all();
    }

    /// Remembers that upstream has no such thing.
    pub(crate) async fn absent(&self, id: &EntryKey, revision: i64, kind: Kind) {
        let value = kind.code().as_bytes().to_vec();
        if let Err(fault) = self
            .hot
            .set(&negative_key(id, revision), value, self.negative_ttl)
            .await
        {
            log::debug!("a negative answer is not remembered: {fault:?}");
        }
    }

    /// What upstream said a moment ago, if it had no such thing.
    pub(crate) async fn absence(&self, id: &EntryKey, revision: i64) -> Option<Fault> {
        let value = self.hot.get(&negative_key(id, revision)).await.ok().flatten()?;
        let kind = if value == Kind::Gone.code().as_bytes() {
            Kind::Gone
        } else {
            Kind::NotFound
        };
        Some(Fault::new(kind, "upstream has no such object").from_memory())
    }

    /// Lets the next request ask upstream again.
    pub(crate) async fn hope(&self, id: &EntryKey, revision: i64) {
        if let Err(fault) = self.hot.delete(&negative_key(id, revision)).await {
            log::debug!("a negative answer is not forgotten: {fault:?}");
        }
    }
}

fn negative_key(id: &EntryKey, revision: i64) -> String {
    format!("absent/{}/{revision}/{}/{}", id.repo, id.variant, id.key)
}
