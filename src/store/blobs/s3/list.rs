//! Listing what lies under the prefix: objects, and uploads that never ended.

use std::sync::atomic::Ordering;

use ::s3::serde_types::{ListBucketResult, MultipartUpload};
use artifactapi_core::Time;
use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::ObjectInfo;
use std::time::Duration;

use super::Inner;
use super::trouble::{Reason, Trouble};
use super::write::encoded;

/// Keys in one page, at most.
const PAGE: usize = 1000;
/// How exactly servers tell the time.
const GRAIN: Duration = Duration::from_secs(1);

/// An upload that has begun and not ended.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) key: String,
    pub(super) id: String,
}

impl Inner {
    /// Objects under `prefix` whose names follow `after`, in byte order.
    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, Fault> {
        let mut found = Vec::new();
        let mut after = after.map(|after| format!("{}{after}", self.prefix));
        let mut token = None;
        let prefix = format!("{}{prefix}", self.prefix);
        while found.len() < limit {
            let wanted = PAGE.min(limit - found.len());
            let page = self.page(&prefix, after.take(), token, wanted).await?;
            for object in &page.contents {
                if let Some(name) = self.object(&object.key) {
                    found.push(ObjectInfo {
                        object: name,
                        size: object.size,
                        modified: time(&object.last_modified)?,
                    });
                }
            }
            if !page.is_truncated {
                break;
            }
            token = Some(page.next_continuation_token.ok_or_else(endless)?);
        }
        Ok(found)
    }

    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<String>,
        token: Option<String>,
        limit: usize,
    ) -> Result<ListBucketResult, Trouble> {
        let page = || async {
            let (prefix, after) = (prefix.to_owned(), after.clone());
            let handle = &self.wire.handle;
            handle
                .list_page(prefix, None, token.clone(), after, Some(limit))
                .await
        };
        Ok(self.wire.twice(page).await?.0)
    }

    /// Uploads of ours that began before `older_than` and that no writer of this process goes on with. None where the
    /// server does not tell.
    pub(super) async fn abandoned(&self, older_than: Time) -> Result<Vec<Begun>, Fault> {
        let uploads = match self.uploads().await {
            Err(trouble) if trouble.is_not_offered() => {
                if !self.untold.swap(true, Ordering::Relaxed) {
                    let error = Fault::from(trouble);
                    log::warn!(error:?; "the object store does not tell of uploads that never ended; it must remove them itself");
                }
                return Ok(Vec::new());
            }
            told => told?,
        };
        let mut begun = Vec::new();
        for upload in uploads {
            let old = time(&upload.initiated)?.plus(GRAIN) < older_than;
            let ours = self.object(&upload.key).is_some() && !self.living().contains(&upload.id);
            if old && ours {
                begun.push(Begun {
                    key: upload.key,
                    id: upload.id,
                });
            }
        }
        Ok(begun)
    }

    /// Every upload of the bucket that has not ended. No prefix is sent: `MinIO` takes it for a whole key.
    async fn uploads(&self) -> Result<Vec<MultipartUpload>, Trouble> {
        let mut uploads = Vec::new();
        let mut marker = (None, None);
        loop {
            let page = || async {
                let (key, id) = marker.clone();
                let handle = &self.wire.handle;
                handle
                    .list_multiparts_uploads_page(None, None, key, id, Some(PAGE))
                    .await
            };
            let page = self.wire.twice(page).await?.0;
            uploads.extend(page.uploads);
            if !page.is_truncated {
                return Ok(uploads);
            }
            let next = (page.next_marker, page.next_upload_id_marker);
            if next == marker || next.0.is_none() {
                return Err(endless());
            }
            marker = next;
        }
    }

    /// Removes the parts of an upload that will not end.
    pub(super) async fn abort(&self, key: &str, id: &str) -> Result<(), Trouble> {
        let id = encoded(id);
        let aborted = self.wire.twice(|| self.wire.handle.abort_upload(key, &id)).await;
        match aborted {
            Err(trouble) if trouble.reason == Reason::NotFound => Ok(()),
            other => other,
        }
    }
}

fn time(text: &str) -> Result<Time, Trouble> {
    Time::parse_rfc3339(text).ok_or_else(|| Trouble::new(Reason::Stranger, format!("no time: {text:?}")))
}

fn endless() -> Trouble {
    Trouble::new(Reason::Stranger, "a listing without an end")
}
