//! Secrets at rest: rotation of their keys.

use artifactapi_api::secrets::Rotation;

use super::{Admin, Refused};

impl Admin {
    /// Seals every secret with the first key, and takes back repositories whose secrets could not be opened before.
    pub async fn rotate_secrets(&self) -> Result<Rotation, Refused> {
        let done = self.parts.catalog.reseal().await?;
        self.parts.changes.reload().await?;
        log::info!(
            key = done.key.as_str(), resealed = done.resealed, already = done.already, failed = done.failed;
            "secrets are sealed with the first key"
        );
        Ok(Rotation {
            key: done.key,
            reread: done.reread,
            resealed: done.resealed,
            already: done.already,
            failed: done.failed,
        })
    }
}
