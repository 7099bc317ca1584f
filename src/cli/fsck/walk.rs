//! The walk over rows and objects. It may run beside a server, so that what looks wrong is looked at twice.

use artifactapi::Stores;
use artifactapi_core::clock::{Clock, SystemClock};
use artifactapi_core::digest::Hasher;
use artifactapi_core::entry::Lifetime;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::Result;
use artifactapi_core::port::catalog::BlobRow;
use artifactapi_core::{Digest, Time};
use futures_util::TryStreamExt;

use super::report::{Finding, Kind, Report};

/// Rows or objects looked at in one go.
const PAGE: u32 = 500;
/// Most entries without a row that are listed; where there are more, a repair is followed by another.
const MOST_DANGLING: u32 = 10_000;

/// One check of a store.
pub(super) struct Walk<'s> {
    stores: &'s Stores,
    repair: bool,
    rehash: bool,
    now: Time,
    report: Report,
}

impl<'s> Walk<'s> {
    pub(super) fn new(stores: &'s Stores, repair: bool, rehash: bool) -> Self {
        Self {
            stores,
            repair,
            rehash,
            now: SystemClock.now(),
            report: Report::default(),
        }
    }

    pub(super) async fn run(mut self) -> Result<Report> {
        // Before the rows: repairing those leaves hosted entries without bytes, which are reported there.
        self.dangling().await?;
        self.rows().await?;
        for prefix in [ObjectName::BLOBS, ObjectName::UPLOADS] {
            self.objects(prefix).await?;
        }
        self.leftovers().await?;
        self.spools()?;
        self.report
            .findings
            .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(self.report)
    }

    /// Every row against its object.
    async fn rows(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.stores.catalog.blobs(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().map(|row| row.digest.clone()) else {
                return Ok(());
            };
            for row in &page {
                self.report.checked.rows += 1;
                if let Some(finding) = self.row(row).await?
                    && self.stands(row, after.as_ref()).await?
                {
                    self.damaged(finding, row).await?;
                }
                after = Some(row.digest.clone());
            }
            after = Some(last);
        }
    }

    async fn row(&mut self, row: &BlobRow) -> Result<Option<Finding>> {
        let name = row.object.as_str();
        let Some(size) = self.stores.blobs.size(&row.object).await? else {
            let kind = match row.references {
                0 if row.deleting => Kind::HalfDeleted,
                0 => Kind::RowWithoutObject,
                _ => Kind::MissingObject,
            };
            return Ok(Some(Finding::new(kind, name, named_by(row.references))));
        };
        if size != row.size {
            let detail = format!(
                "{size} bytes instead of {}, {}",
                row.size,
                named_by(row.references)
            );
            return Ok(Some(Finding::new(Kind::WrongSize, name, detail)));
        }
        let sound = !self.rehash || self.sound(row).await?;
        Ok((!sound).then(|| Finding::new(Kind::WrongDigest, name, named_by(row.references))))
    }

    /// Whether an object's bytes have the digest of its row. One that went away meanwhile is not judged.
    async fn sound(&mut self, row: &BlobRow) -> Result<bool> {
        let Some(mut bytes) = self.stores.blobs.open(&row.object, None).await? else {
            return Ok(true);
        };
        let mut hasher = Hasher::new([row.digest.alg()]);
        while let Some(chunk) = bytes.try_next().await? {
            hasher.update(&chunk);
            self.report.checked.rehashed += chunk.len() as u64;
        }
        Ok(hasher.finish().matches(&row.digest) == Some(true))
    }

    /// Whether the catalog still says the same of a row: a server beside us may just have deleted or replaced it.
    async fn stands(&self, row: &BlobRow, after: Option<&Digest>) -> Result<bool> {
        let now = self.stores.catalog.blobs(after, 1).await?;
        Ok(now
            .first()
            .is_some_and(|now| now.digest == row.digest && now.object == row.object))
    }

    /// Notes damage. Repaired, the row goes with the cached entries on it. Hosted entries stay without bytes: with the
    /// row gone, the same bytes put again under any name heal them.
    async fn damaged(&mut self, mut finding: Finding, row: &BlobRow) -> Result<()> {
        if self.repair {
            let dropped = self.stores.catalog.condemn(&row.object).await?.len() as u64;
            self.stores.blobs.delete(&row.object).await?;
            let hosted = row.references.saturating_sub(dropped);
            if hosted > 0 {
                finding
                    .detail
                    .push_str(", hosted: put the same bytes there again");
            }
            finding.repaired = hosted == 0;
        }
        self.report.findings.push(finding);
        Ok(())
    }

    /// Entries whose blob has no row. Repaired, cached ones go.
    async fn dangling(&mut self) -> Result<()> {
        for id in self.stores.catalog.dangling(MOST_DANGLING).await? {
            let entry = self.stores.catalog.entry(&id).await?;
            let hosted = entry.is_some_and(|entry| entry.lifetime == Lifetime::Hosted);
            let kind = if hosted {
                ", hosted: put the same bytes there again"
            } else {
                ""
            };
            let mut finding = Finding::new(
                Kind::DanglingEntry,
                id.key.as_str(),
                format!("repository {}{kind}", id.repo),
            );
            if self.repair && !hosted {
                finding.repaired = !self.stores.catalog.remove(&[(id, None)], false).await?.is_empty();
            }
            self.report.findings.push(finding);
        }
        Ok(())
    }

    /// Every object against the rows.
    async fn objects(&mut self, prefix: &str) -> Result<()> {
        let mut after = None;
        loop {
            let page = self
                .stores
                .blobs
                .list(prefix, after.as_ref(), PAGE as usize)
                .await?;
            let Some(last) = page.last().map(|info| info.object.clone()) else {
                return Ok(());
            };
            let names: Vec<_> = page.iter().map(|info| info.object.clone()).collect();
            let known = self.stores.catalog.known_objects(&names).await?;
            for info in &page {
                self.report.checked.objects += 1;
                self.report.checked.bytes += info.size;
                if !known.contains(&info.object) {
                    self.orphan(&info.object, info.size).await?;
                }
            }
            after = Some(last);
        }
    }

    async fn orphan(&mut self, object: &ObjectName, size: u64) -> Result<()> {
        let mut finding = Finding::new(Kind::ObjectWithoutRow, object.as_str(), format!("{size} bytes"));
        finding.repaired = self.repair && self.stores.blobs.delete(object).await?;
        self.report.findings.push(finding);
        Ok(())
    }

    /// Temporary files of writers that are dead.
    async fn leftovers(&mut self) -> Result<()> {
        let names = self.stores.blobs.leftovers(self.now).await?;
        let swept = self.repair && self.stores.blobs.sweep(self.now).await? >= names.len() as u64;
        self.waste(Kind::HalfWritten, names, swept);
        Ok(())
    }

    fn spools(&mut self) -> Result<()> {
        let names = self
            .stores
            .spools
            .leftovers(self.now)
            .map_err(artifactapi::unreadable)?;
        let swept = self.repair
            && self
                .stores
                .spools
                .sweep(self.now)
                .map_err(artifactapi::unreadable)?
                >= names.len() as u64;
        self.waste(Kind::StaleSpool, names, swept);
        Ok(())
    }

    fn waste(&mut self, kind: Kind, names: Vec<String>, repaired: bool) {
        let findings = names
            .into_iter()
            .map(|name| Finding::new(kind, name, "").repaired_if(repaired));
        self.report.findings.extend(findings);
    }
}

fn named_by(references: u64) -> String {
    format!("named by {references} entries")
}
