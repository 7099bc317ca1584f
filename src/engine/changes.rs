//! Changes by administrators, taken into memory before they are answered, and told to other replicas.

use artifactapi_core::Entry;
use artifactapi_core::port::Result;
use artifactapi_core::repository::RepoId;
use async_trait::async_trait;

use crate::Engine;
use crate::admin::Changes;

#[async_trait]
impl Changes for Engine {
    async fn reload(&self) -> Result<()> {
        let reloaded = self.shared.reload().await;
        let replicas = &self.shared.handles.replicas;
        replicas.changed();
        if reloaded.is_err() {
            // The change is committed, so it must come into force although it cannot be answered so.
            replicas.stale();
        }
        reloaded
    }

    fn evicted(&self, entries: &[Entry]) {
        self.shared.evicted(entries);
    }

    fn emptied(&self, _repo: RepoId) {
        // Entries of one repository cannot be told from others cheaply; reading all anew costs a look-up each.
        self.shared.shelf.clear();
        self.shared.handles.replicas.changed();
    }
}
