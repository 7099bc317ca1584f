//! From objects to rows: is anything there that the catalog knows nothing of.

use std::collections::HashSet;

use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::ObjectInfo;

use super::{Check, Damage, PAGE, Suspected, spools_fault};

impl Check<'_> {
    /// Looks for objects that no row names.
    pub(super) async fn objects(&mut self) -> Result<(), Fault> {
        let mut after: Option<ObjectName> = None;
        loop {
            let page = self.stores.blobs.list("", after.as_ref(), PAGE as usize).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.object.clone());
            self.counts.objects += page.len() as u64;
            self.counts.bytes += page.iter().map(|info| info.size).sum::<u64>();
            let names: Vec<_> = page.iter().map(|info| info.object.clone()).collect();
            let known = self.stores.catalog.known_objects(&names).await?;
            let known: HashSet<_> = known.into_iter().collect();
            for info in page.into_iter().filter(|info| !known.contains(&info.object)) {
                self.orphan(&info);
            }
        }
    }

    fn orphan(&mut self, info: &ObjectInfo) {
        let young = if self.is_old(info.modified) {
            ""
        } else {
            "; young, it may belong to a running write"
        };
        let detail = format!("{} bytes of {}{young}", info.size, info.modified.rfc3339());
        let what = Suspected::Object(info.modified);
        self.suspect(Damage::ObjectWithoutRow, info.object.as_str(), detail, what);
    }

    /// Whether something last written at `at` is beyond the grace.
    pub(super) fn is_old(&self, at: artifactapi_core::Time) -> bool {
        at < self.now.minus(self.options.grace)
    }

    /// Looks for files that writers and spools of the dead left behind.
    pub(super) async fn leftovers(&mut self) -> Result<(), Fault> {
        for name in self.stores.blobs.leftovers(self.now).await? {
            let detail = "its writer has ended without finishing it".to_owned();
            self.suspect(Damage::HalfWritten, name, detail, Suspected::Leftover);
        }
        for name in self.stores.spools.leftovers(self.now).map_err(spools_fault)? {
            let detail = "a crash has left it".to_owned();
            self.suspect(Damage::StaleSpool, name, detail, Suspected::Leftover);
        }
        Ok(())
    }
}
