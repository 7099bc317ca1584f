//! Repairs: what is left over is removed, what is damaged is forgotten so that it can come again.

use std::collections::HashSet;

use artifactapi_core::entry::{EntryKey, Lifetime};
use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::BlobRow;

use super::{Check, Damage, Suspected, spools_fault};

impl Check<'_> {
    /// Repairs what can be repaired and marks it so.
    pub(super) async fn repair(&mut self) -> Result<(), Fault> {
        let mut suspects = std::mem::take(&mut self.suspects);
        let left = self.clean().await?;
        for suspect in &mut suspects {
            let finding = &mut suspect.finding;
            finding.repaired = match &suspect.what {
                Suspected::Row(row, _) => self.forget(row, &mut finding.detail).await?,
                Suspected::Object(written) if self.is_old(*written) => {
                    let object = finding.object();
                    self.remove(&object, &mut finding.detail).await
                }
                Suspected::Object(_) => false,
                Suspected::Entry(id) => self.unlink(id).await?,
                Suspected::Leftover => !left.contains(&(finding.kind, finding.name.clone())),
            };
        }
        self.suspects = suspects;
        Ok(())
    }

    /// Drops a row with the cached entries on it. The object goes too, unless hosted entries have lost their bytes
    /// with it: then their repository's owner may want to look at it, and has the grace of an orphan for that.
    async fn forget(&self, row: &BlobRow, detail: &mut String) -> Result<bool, Fault> {
        let dropped = self.stores.catalog.condemn(&row.object).await?.len() as u64;
        let hosted = row.references.saturating_sub(dropped);
        if hosted > 0 {
            *detail = format!("{detail}; {hosted} hosted: publish the same bytes again to heal it");
            return Ok(false);
        }
        // What stays because it cannot be removed is in nobody's way any more.
        self.remove(&row.object, detail).await;
        Ok(true)
    }

    /// Removes an object. One that cannot be removed does not end the repair of the others.
    async fn remove(&self, object: &ObjectName, detail: &mut String) -> bool {
        let removed = self.stores.blobs.delete(object).await;
        if let Err(fault) = &removed {
            log::warn!(object = object.as_str(); "an object cannot be removed: {fault:?}");
            *detail = format!("{detail}; it cannot be removed: {fault}");
        }
        removed.is_ok()
    }

    /// Removes an entry without bytes, unless it is hosted: that it existed is worth knowing.
    async fn unlink(&self, id: &EntryKey) -> Result<bool, Fault> {
        let found = self.stores.catalog.entry(id).await?;
        let Some(cached) = found.filter(|entry| entry.lifetime != Lifetime::Hosted) else {
            return Ok(false);
        };
        let gone = [(id.clone(), Some(cached.digest))];
        Ok(!self.stores.catalog.remove(&gone, false).await?.is_empty())
    }

    /// Removes old leftovers; gives those that are there still.
    async fn clean(&self) -> Result<HashSet<(Damage, String)>, Fault> {
        let old = self.now.minus(self.options.grace);
        let (blobs, spools) = (&self.stores.blobs, &self.stores.spools);
        blobs.sweep(old).await?;
        spools.sweep(old).map_err(spools_fault)?;
        let halves = blobs.leftovers(self.now).await?.into_iter();
        let stale = spools.leftovers(self.now).map_err(spools_fault)?.into_iter();
        let halves = halves.map(|name| (Damage::HalfWritten, name));
        Ok(halves
            .chain(stale.map(|name| (Damage::StaleSpool, name)))
            .collect())
    }
}
