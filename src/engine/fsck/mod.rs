//! The check of catalog and stores against each other: what is missing, what is damaged, what is left over.
//!
//! It reads only, unless told to repair, and may run beside a server: whatever it suspects it looks at again before
//! it says so. It trusts neither side: rows are compared with objects and objects with rows. What it cannot do is
//! bring bytes back; it only clears the way for them.

mod objects;
mod repair;
mod report;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::clock::{Clock, Time};
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::{BlobRow, Catalog};
use artifactapi_core::repository::RepoId;
use artifactapi_store::spool::Spools;

pub use report::{Damage, Finding, Report};

/// Rows and objects looked at together.
const PAGE: u32 = 500;
/// Dangling entries reported at most; where there are more, the catalog is lost anyway.
const DANGLING: u32 = 10_000;
/// Rows read to find one again, as a server may have put others before it.
const NEAR: u32 = 8;
/// How old a leftover must be before it is removed.
const GRACE: Duration = Duration::from_hours(1);

/// What to check.
pub struct Stores {
    /// The rows; opened for reading alone is enough unless something is repaired.
    pub catalog: Arc<dyn Catalog>,
    /// The objects.
    pub blobs: Arc<dyn Blobs>,
    /// The folder of spools.
    pub spools: Arc<Spools>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// How to check.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Reads every object and compares its digest.
    pub rehash: bool,
    /// Removes leftovers older than the grace, and forgets cached entries whose bytes are damaged.
    pub repair: bool,
    /// What is younger is left alone by a repair: a running write may need it.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rehash: false,
            repair: false,
            grace: GRACE,
        }
    }
}

/// Checks everything. A fault means that the check could not be carried out, not that something is damaged.
pub async fn fsck(stores: &Stores, options: &Options) -> Result<Report, Fault> {
    let mut check = Check::begin(stores, options).await?;
    check.rows().await?;
    check.dangling().await?;
    check.objects().await?;
    check.leftovers().await?;
    check.look_again().await?;
    if options.repair {
        check.repair().await?;
    }
    Ok(check.report())
}

/// One run of the check.
struct Check<'s> {
    stores: &'s Stores,
    options: &'s Options,
    /// When the run began; what was written later belongs to somebody running.
    now: Time,
    names: HashMap<RepoId, String>,
    suspects: Vec<Suspect>,
    counts: report::Counts,
}

/// Something found, and what is needed to look at it again and to repair it.
struct Suspect {
    finding: Finding,
    what: Suspected,
}

enum Suspected {
    /// A row, whose object is not as it says, and the digest of the row before it.
    Row(BlobRow, Option<Digest>),
    /// An object that no row names, last written at that time.
    Object(Time),
    /// An entry whose blob has no row.
    Entry(EntryKey),
    /// A file that a writer or a spool left behind.
    Leftover,
}

impl<'s> Check<'s> {
    async fn begin(stores: &'s Stores, options: &'s Options) -> Result<Self, Fault> {
        let repositories = stores.catalog.repositories().await?;
        let names = repositories.into_iter().map(|repo| (repo.id, repo.name));
        Ok(Self {
            now: stores.clock.now(),
            names: names.collect(),
            stores,
            options,
            suspects: Vec::new(),
            counts: report::Counts::default(),
        })
    }

    fn suspect(&mut self, damage: Damage, name: impl Into<String>, detail: String, what: Suspected) {
        let finding = Finding::new(damage, name.into(), detail);
        self.suspects.push(Suspect { finding, what });
    }

    /// An entry as people know it: the repository's name and the path.
    fn entry_name(&self, id: &EntryKey) -> String {
        let repo = self.names.get(&id.repo);
        let repo = repo.map_or_else(|| id.repo.to_string(), Clone::clone);
        match id.variant.as_str() {
            "" => format!("{repo}/{}", id.key),
            variant => format!("{repo}/{} ({variant})", id.key),
        }
    }

    /// Drops what only looked wrong because somebody was writing or collecting at that moment.
    async fn look_again(&mut self) -> Result<(), Fault> {
        let mut confirmed = Vec::new();
        for mut suspect in std::mem::take(&mut self.suspects) {
            if self.still_holds(&mut suspect).await? {
                confirmed.push(suspect);
            }
        }
        self.suspects = confirmed;
        Ok(())
    }

    async fn still_holds(&self, suspect: &mut Suspect) -> Result<bool, Fault> {
        match &mut suspect.what {
            Suspected::Row(row, before) => {
                let Some(now) = self.row_again(row, before.as_ref()).await? else {
                    return Ok(false);
                };
                *row = now;
                let Some((damage, detail)) = self.by_size(row).await? else {
                    return Ok(suspect.finding.kind == Damage::WrongDigest);
                };
                suspect.finding = Finding::new(damage, row.object.to_string(), detail);
                Ok(true)
            }
            Suspected::Object(_) => {
                let object = suspect.finding.object();
                Ok(!self.is_known(&object).await? && self.stores.blobs.size(&object).await?.is_some())
            }
            Suspected::Entry(id) => Ok(self.stores.catalog.entry(id).await?.is_some()),
            Suspected::Leftover => Ok(true),
        }
    }

    async fn is_known(&self, object: &artifactapi_core::key::ObjectName) -> Result<bool, Fault> {
        let asked = std::slice::from_ref(object);
        Ok(!self.stores.catalog.known_objects(asked).await?.is_empty())
    }

    fn report(self) -> Report {
        let mut findings: Vec<_> = self.suspects.into_iter().map(|suspect| suspect.finding).collect();
        findings.sort();
        Report {
            findings,
            checked: self.counts,
        }
    }
}

/// The folder of spools could not be read or cleaned.
fn spools_fault(error: std::io::Error) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the folder of spools failed", error)
}

#[cfg(test)]
mod tests;
