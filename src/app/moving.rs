//! An installation moved from one set of stores to another: objects first, then the rows that name them, then the proof.
//!
//! It can be interrupted anywhere and begun again. The target is marked from the beginning to the end; a marked catalog
//! is not served.

use std::time::Duration;

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::Catalog;
use artifactapi_engine::fsck::{self, Report};
use artifactapi_engine::transfer::{self, Carried};
use artifactapi_store::catalog::transfer::{INSTALLATION, MARK};

use super::Stores;

/// What came of a move.
pub struct Moved {
    /// The objects.
    pub objects: Carried,
    /// New rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// The check of the target.
    pub report: Report,
}

/// Moves everything from `source` to `target`; neither may be served meanwhile. `told` hears how far the objects are.
pub async fn carry(source: &Stores, target: &Stores, told: impl Fn(&Carried)) -> Result<Moved, Fault> {
    unmarked(source.catalog.as_ref()).await?;
    let installation = named(source.catalog.as_ref()).await?;
    target.database.begin_copy(&installation).await?;
    let (from, to) = (source.blobs.as_ref(), target.blobs.as_ref());
    let objects = transfer::objects(source.catalog.as_ref(), from, to, told).await?;
    if let Some(first) = objects.left.first() {
        let what = format!(
            "{} objects are lost or damaged where they come from (`artifactapi fsck --rehash` there names them): {first}",
            objects.left.len()
        );
        return Err(Fault::new(Kind::StoreUnavailable, what));
    }
    let rows = source.database.copy(&target.database).await?;
    let report = checked(target).await?;
    if report.exit_code() == 0 {
        target.database.end_copy().await?;
    }
    Ok(Moved {
        objects,
        rows,
        report,
    })
}

/// Refuses a catalog that waits for the rest of an import.
pub(super) async fn unmarked(catalog: &dyn Catalog) -> Result<(), Fault> {
    match catalog.setting(MARK).await? {
        None => Ok(()),
        Some(_) => Err(Fault::new(
            Kind::StoreUnavailable,
            "an import into this catalog is not finished: run `artifactapi migrate` with the same source again",
        )),
    }
}

/// The name of the installation, which every catalog has that was opened with its blobs.
async fn named(catalog: &dyn Catalog) -> Result<String, Fault> {
    let name = catalog.setting(INSTALLATION).await?;
    name.ok_or_else(|| Fault::new(Kind::Internal, "the catalog to be moved has no name"))
}

async fn checked(target: &Stores) -> Result<Report, Fault> {
    let stores = fsck::Stores {
        catalog: target.database.catalog(),
        blobs: target.blobs.clone(),
        spools: target.spools.clone(),
        clock: target.clock.clone(),
    };
    let options = fsck::Options {
        rehash: true,
        repair: false,
        grace: Duration::ZERO,
    };
    fsck::fsck(&stores, &options).await
}
