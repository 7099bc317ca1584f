//! Replicas: what is in memory of the catalog, and how it is kept true when others change the catalog.
//!
//! In memory are the table of repositories and the shelf of remotes' entries. Both are read anew when the catalog's epoch
//! has moved or another replica says so; what is hosted is read from the catalog every time and needs none of this.

use std::sync::{Arc, OnceLock, Weak};

use artifactapi_actors::handles::Renewal;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::{Entry, Fault, Repository};

use crate::Shared;
use crate::table::Table;

/// What workers need of the engine before there is one.
#[derive(Clone, Default)]
pub struct Hooks {
    pub(crate) table: Arc<Table>,
    shared: Arc<OnceLock<Weak<Shared>>>,
}

impl Hooks {
    /// Every repository there is now.
    pub fn repositories(&self) -> Vec<Arc<Repository>> {
        self.table.repositories()
    }

    /// Entries have been removed from the catalog by this process.
    pub fn evicted(&self, entries: &[Entry]) {
        if let Some(shared) = self.shared() {
            shared.evicted(entries);
        }
    }

    /// Reads anew what is in memory of this catalog, whoever has changed it.
    pub fn renewal(&self, catalog: Arc<dyn Catalog>) -> Renewal {
        let hooks = self.clone();
        Arc::new(move || {
            let (hooks, catalog) = (hooks.clone(), Arc::clone(&catalog));
            Box::pin(async move { hooks.renew(catalog.as_ref()).await })
        })
    }

    async fn renew(&self, catalog: &dyn Catalog) -> Result<(), Fault> {
        let Some(shared) = self.shared() else {
            return self.table.reload(catalog).await;
        };
        shared.reload().await?;
        // Not before: while the catalog is away, what is in memory is all there is. What was read before this and is put
        // on the shelf after it is recognised by its moment.
        shared.shelf.clear();
        Ok(())
    }

    /// The one engine that is told.
    pub(crate) fn belong_to(&self, shared: &Arc<Shared>) -> Result<(), Fault> {
        let told = self.shared.set(Arc::downgrade(shared));
        told.map_err(|_taken| Fault::new(Kind::Internal, "the hooks belong to another engine"))
    }

    fn shared(&self) -> Option<Arc<Shared>> {
        self.shared.get().and_then(Weak::upgrade)
    }
}

impl Shared {
    /// Reads the repositories anew, and lets go what belonged to those that went.
    pub(crate) async fn reload(&self) -> Result<(), Fault> {
        let before = self.table.repositories();
        self.table.reload(self.catalog.as_ref()).await?;
        let after = self.table.repositories();
        let stays = |gone: &Repository| after.iter().any(|repository| repository.id == gone.id);
        for gone in before.iter().filter(|repository| !stays(repository)) {
            self.handles.breakers.forget(gone.id);
        }
        Ok(())
    }

    /// This process has removed entries: they are forgotten, here and elsewhere.
    pub(crate) fn evicted(&self, entries: &[Entry]) {
        self.shelf.forget(entries.iter().map(|entry| &entry.id));
        self.handles.replicas.changed();
    }
}

#[cfg(test)]
mod tests;
