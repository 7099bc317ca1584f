//! The tie between a catalog and its blobs: both carry the name of the installation, and are used together or not at all.
//!
//! A catalog takes objects that it does not name for garbage, and objects that it misses for lost. Beside the blobs of
//! another one, through a mistyped name or a folder of each replica's own, it would destroy both.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use crate::catalog::transfer::INSTALLATION;

/// Bytes of the object that are looked at.
const LONGEST: u64 = 64;
/// Rows whose objects are looked for where one of the two has no name.
const SAMPLE: u32 = 100;

/// What has no name yet.
enum Nameless {
    Neither,
    Both,
    Blobs(String),
    Catalog(String),
}

/// Makes sure that the two belong together, before anything is written to either; names them where neither has a name.
pub async fn tied(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    match nameless(catalog, blobs).await? {
        Nameless::Neither => Ok(()),
        Nameless::Both => tie(catalog, blobs).await,
        Nameless::Blobs(name) => name_blobs(blobs, &name).await,
        Nameless::Catalog(name) => name_catalog(catalog, &name).await,
    }
}

/// Makes sure that the two belong together, and writes nothing.
pub async fn compared(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    nameless(catalog, blobs).await.map(drop)
}

/// What has no name yet of two that may belong together.
async fn nameless(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<Nameless, Fault> {
    match names(catalog, blobs).await? {
        (Some(of_catalog), Some(of_blobs)) => agree(&of_catalog, &of_blobs).map(|()| Nameless::Neither),
        (None, None) => Ok(Nameless::Both),
        (Some(name), None) if may_name_blobs(catalog, blobs).await? => Ok(Nameless::Blobs(name)),
        (None, Some(name)) if may_name_catalog(catalog, blobs).await? => Ok(Nameless::Catalog(name)),
        (Some(name), None) => Err(different(&format!(
            "nothing that the catalog names is there: name the right place; a second replica needs a bucket. Only if the \
             objects are lost for good, put an object `{}` with the text {name} there",
            ObjectName::INSTALLATION
        ))),
        (None, Some(_)) => Err(different(&format!(
            "the catalog is new, and would take the objects for garbage: put the old one back, or name the right place. \
             Only if the objects are to be given up, remove the object `{}`",
            ObjectName::INSTALLATION
        ))),
    }
}

/// The names of both. Another replica may be tying them: it names the catalog first, so that the blobs are asked first, and
/// once more where only the catalog had a name by then.
async fn names(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(Option<String>, Option<String>), Fault> {
    let of_blobs = name_of(blobs).await?;
    let of_catalog = catalog.setting(INSTALLATION).await?;
    match of_blobs {
        None if of_catalog.is_some() => Ok((of_catalog, name_of(blobs).await?)),
        _ => Ok((of_catalog, of_blobs)),
    }
}

/// Names both. Replicas agree in the catalog; a folder is named before the catalog, so that a second one finds that taken.
async fn tie(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    let mut name = Uuid::now_v7().to_string();
    if blobs.is_shared() {
        name = catalog.settle(INSTALLATION, &name).await?;
    }
    name_blobs(blobs, &name).await?;
    name_catalog(catalog, &name).await
}

/// Whether blobs without a name are the catalog's: they have what it names, or it names nothing yet and replicas share them.
async fn may_name_blobs(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<bool, Fault> {
    let rows = catalog.blobs(None, SAMPLE).await?;
    for row in &rows {
        if blobs.size(&row.object).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(rows.is_empty() && blobs.is_shared())
}

/// Whether a catalog without a name is that of the blobs: they have what it names, or nobody lost anything by it, as after a
/// first start that ended half-way.
async fn may_name_catalog(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<bool, Fault> {
    if blobs.is_shared() {
        return Ok(false);
    }
    if may_name_blobs(catalog, blobs).await? {
        return Ok(true);
    }
    for prefix in [ObjectName::BLOBS, ObjectName::UPLOADS] {
        if !blobs.list(prefix, None, 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn name_catalog(catalog: &dyn Catalog, name: &str) -> Result<(), Fault> {
    agree(&catalog.settle(INSTALLATION, name).await?, name)
}

async fn name_blobs(blobs: &dyn Blobs, name: &str) -> Result<(), Fault> {
    let mut writer = blobs.create(&ObjectName::installation()).await?;
    writer.write(name.to_owned().into()).await?;
    writer.commit().await?;
    // A catalog that began at the same moment may have been later.
    agree(name, &name_of(blobs).await?.unwrap_or_default())
}

/// The name that the blobs carry.
async fn name_of(blobs: &dyn Blobs) -> Result<Option<String>, Fault> {
    let object = ObjectName::installation();
    let Some(size) = blobs.size(&object).await? else {
        return Ok(None);
    };
    let Some(body) = blobs.open(&object, Some(0..size.min(LONGEST))).await? else {
        return Ok(None);
    };
    let pieces: Vec<_> = body.try_collect().await?;
    let text = String::from_utf8_lossy(&pieces.concat()).into_owned();
    match Uuid::parse_str(text.trim()) {
        Ok(name) => Ok(Some(name.to_string())),
        Err(_) => Err(different(&format!(
            "the object `{object}` holds {text:?}, which is no name"
        ))),
    }
}

fn agree(of_catalog: &str, of_blobs: &str) -> Result<(), Fault> {
    if of_catalog == of_blobs {
        return Ok(());
    }
    Err(different(&format!(
        "the catalog is {of_catalog}, the blobs are {of_blobs}"
    )))
}

fn different(why: &str) -> Fault {
    let what = format!(
        "the catalog and the blobs belong to different installations: {why} (store.data_dir; on servers \
         postgresql.database, s3.bucket and s3.prefix)"
    );
    Fault::new(Kind::StoreUnavailable, what)
}
