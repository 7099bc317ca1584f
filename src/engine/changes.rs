//! Changes by administrators, taken into memory before they are answered.

use artifactapi_core::port::Result;
use artifactapi_core::repository::RepoId;
use artifactapi_core::{Entry, Repository};
use async_trait::async_trait;

use crate::Engine;
use crate::admin::Changes;

#[async_trait]
impl Changes for Engine {
    async fn reload(&self) -> Result<()> {
        let before = self.shared.table.repositories();
        self.shared.table.reload(self.shared.catalog.as_ref()).await?;
        let after = self.shared.table.repositories();
        let stays = |gone: &Repository| after.iter().any(|repository| repository.id == gone.id);
        for gone in before.iter().filter(|repository| !stays(repository)) {
            self.shared.handles.breakers.forget(gone.id);
        }
        Ok(())
    }

    fn evicted(&self, entries: &[Entry]) {
        self.shared.shelf.forget(entries.iter().map(|entry| &entry.id));
    }

    fn emptied(&self, _repo: RepoId) {
        // Entries of one repository cannot be told from others cheaply; reading all anew costs a look-up each.
        self.shared.shelf.clear();
    }
}
