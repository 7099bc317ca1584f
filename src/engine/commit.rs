//! Committing: durable bytes become visible, once, whatever was stored under their digest before.

use artifactapi_core::Fault;
use artifactapi_core::port::catalog::{Commit, Committed, Guard};

use crate::Shared;

impl Shared {
    /// Commits an entry whose object is durable, and removes that object where it turns out not to be needed.
    ///
    /// The catalog keeps the object that holds a digest already. Before ours is given up for it, it must be there:
    /// an acknowledged write never rests on an object that was lost.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Committed, Fault> {
        let again = Commit {
            guard: Guard::SameBytes,
            ..commit.clone()
        };
        let ours = commit.entry.object.clone();
        // On an error the row may stand all the same (the reply was lost), so the object stays for the collector.
        let committed = self.catalog.commit(commit).await?;
        let Committed::Stored {
            entry,
            replaced,
            moved_pin,
        } = committed
        else {
            self.discard(&ours).await;
            return Ok(committed);
        };
        if entry.object == ours {
            return Ok(Committed::Stored {
                entry,
                replaced,
                moved_pin,
            });
        }
        if self.blobs.size(&entry.object).await? == Some(entry.size) {
            self.discard(&ours).await;
            return Ok(Committed::Stored {
                entry,
                replaced,
                moved_pin,
            });
        }
        let lost = self.lost(&entry).await;
        let committed = self.catalog.commit(again).await?;
        if let Committed::Stored { entry, .. } = &committed
            && entry.object != ours
            && self.blobs.size(&entry.object).await? != Some(entry.size)
        {
            // It could not be condemned, so that the row names it still.
            return Err(lost);
        }
        Ok(match committed {
            Committed::Stored { entry, .. } => Committed::Stored {
                entry,
                replaced,
                moved_pin,
            },
            refused => refused,
        })
    }
}
