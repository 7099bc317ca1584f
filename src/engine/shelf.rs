//! The shelf: entries kept in memory in front of the catalog, and the short memory of what upstream does not have.
//!
//! Only what cannot change behind our back lies here: entries of remotes. What is hosted is read from the catalog.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
use artifactapi_core::fault::Kind;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::{Digest, Fault};
use futures_util::FutureExt as _;
use moka::sync::Cache;

use crate::together::Together;

/// See the module.
pub(crate) struct Shelf {
    entries: Cache<EntryKey, Arc<Entry>>,
    /// Look-ups on their way.
    looking: Together<EntryKey, Option<Arc<Entry>>>,
    pinning: Together<EntryKey, Option<Digest>>,
    /// Counts removals.
    removals: AtomicU64,
    catalog: Arc<dyn Catalog>,
    hot: Arc<dyn Hot>,
    negative_ttl: Duration,
}

/// When the catalog was asked, in removals until then. What it said is not put here if something was removed since:
/// it may be what was removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u64);

#[cfg(test)]
impl Moment {
    pub(crate) fn new(removals: u64) -> Self {
        Self(removals)
    }
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
            looking: Together::default(),
            pinning: Together::default(),
            removals: AtomicU64::new(0),
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
        let since = self.moment();
        let look = || {
            let (catalog, id) = (Arc::clone(&self.catalog), id.clone());
            async move { Ok(catalog.entry(&id).await?.map(Arc::new)) }.boxed()
        };
        let found = self.looking.answer(id, since, look).await?;
        if let Some(entry) = &found {
            self.put(entry, since);
        }
        Ok(found)
    }

    /// The digest that was first seen under a name.
    pub(crate) async fn pinned(&self, id: &EntryKey) -> Result<Option<Digest>, Fault> {
        let look = || {
            let (catalog, id) = (Arc::clone(&self.catalog), id.clone());
            async move { catalog.pinned(&id).await }.boxed()
        };
        self.pinning.answer(id, self.moment(), look).await
    }

    /// Whether this very entry lies here.
    pub(crate) fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.entries
            .get(&entry.id)
            .is_some_and(|here| Arc::ptr_eq(&here, entry))
    }

    /// The present moment; to be taken before the catalog is asked or written.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.removals.load(Ordering::SeqCst))
    }

    /// The entry as the catalog has it now.
    pub(crate) async fn stored(&self, id: &EntryKey) -> Option<Arc<Entry>> {
        self.entries.invalidate(id);
        let since = self.moment();
        let found = self.catalog.entry(id).await.ok().flatten().map(Arc::new)?;
        self.put(&found, since);
        Some(found)
    }

    /// Takes in what the catalog holds since then. Looking for removals afterwards finds those of either side of it.
    pub(crate) fn put(&self, entry: &Arc<Entry>, since: Moment) {
        if entry.lifetime == Lifetime::Hosted {
            return;
        }
        self.entries.insert(entry.id.clone(), Arc::clone(entry));
        if self.moment() != since {
            self.entries.invalidate(&entry.id);
        }
    }

    /// Forgets entries that were removed.
    pub(crate) fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a EntryKey>) {
        self.removals.fetch_add(1, Ordering::SeqCst);
        for id in ids {
            self.entries.invalidate(id);
        }
    }

    /// Forgets everything: repositories changed.
    pub(crate) fn clear(&self) {
        self.removals.fetch_add(1, Ordering::SeqCst);
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

#[cfg(test)]
mod tests {
    use artifactapi_core::clock::SystemClock;
    use artifactapi_core::key::ObjectName;
    use artifactapi_core::repository::RepoId;
    use artifactapi_core::{Headers, Key, Time};
    use artifactapi_store::catalog::sqlite::Sqlite;
    use artifactapi_store::hot::memory::Memory;

    use super::*;

    async fn shelf(folder: &std::path::Path) -> Shelf {
        let catalog = Sqlite::open(&folder.join("c.sqlite")).await.unwrap();
        let hot = Memory::new(SystemClock::shared());
        Shelf::new(Arc::new(catalog), Arc::new(hot), 100, Duration::from_secs(30))
    }

    fn entry(path: &str) -> Arc<Entry> {
        let digest = Digest::sha256(path.as_bytes());
        Arc::new(Entry {
            id: EntryKey::new(RepoId(uuid::Uuid::from_u128(1)), Key::new(path).unwrap()),
            object: ObjectName::blob(&digest, uuid::Uuid::from_u128(2)),
            digest,
            size: 1,
            lifetime: Lifetime::Immutable,
            media: "text/plain".to_owned(),
            etag: None,
            last_modified: None,
            kept: Headers::new(),
            source_url: None,
            proven: true,
            fetched_at: Time(0),
            validated_at: Time(0),
            expires_at: None,
        })
    }

    #[tokio::test]
    async fn what_was_read_before_a_removal_does_not_come_back_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path()).await;
        let (gone, kept) = (entry("gone"), entry("kept"));
        for remove in [
            |shelf: &Shelf, id: &EntryKey| shelf.forget([id]),
            |shelf: &Shelf, _: &EntryKey| shelf.clear(),
        ] {
            let before = shelf.moment();
            remove(&shelf, &gone.id);
            shelf.put(&gone, before);
            assert_eq!(shelf.entry(&gone.id).await.unwrap(), None);
            shelf.put(&kept, shelf.moment());
            assert_eq!(shelf.entry(&kept.id).await.unwrap().as_ref(), Some(&kept));
        }
    }

    #[tokio::test]
    async fn what_is_hosted_is_read_from_the_catalog_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path()).await;
        let hosted = Arc::new(Entry {
            lifetime: Lifetime::Hosted,
            ..Entry::clone(&entry("hosted"))
        });
        shelf.put(&hosted, shelf.moment());
        assert_eq!(shelf.entry(&hosted.id).await.unwrap(), None);
    }
}
