//! The tie between a catalog and its blobs: both carry the name of the installation, and are served together or not at all.
//!
//! A catalog takes objects that it does not name for garbage, and objects that it misses for lost. Beside the blobs of
//! another one, through a mistyped name or a folder of each replica's own, it would destroy both.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_store::catalog::transfer::INSTALLATION;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

/// Bytes that a mark has at most.
const LONGEST: u64 = 64;

/// Makes sure that the two belong together; ties them where neither is tied yet.
pub(super) async fn tied(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    let (name, mark) = both(catalog, blobs).await?;
    match (name, mark) {
        (Some(name), Some(mark)) => same(&name, &mark),
        (None, None) => tie(catalog, blobs).await,
        // What a start leaves that ended between the two halves. Replicas agree in the catalog first, others on the mark.
        (Some(name), None) if blobs.is_shared() && catalog.blobs(None, 1).await?.is_empty() => {
            leave(blobs, &name).await
        }
        (None, Some(mark)) if !blobs.is_shared() && is_empty(blobs).await? => settle(catalog, &mark).await,
        (Some(name), None) => Err(strangers(&format!(
            "the catalog names objects that lie elsewhere. To go on without them, put an object `{}` with the text {name} there",
            ObjectName::mark()
        ))),
        (None, Some(_)) => Err(strangers(&format!(
            "the catalog is new, and would take the objects for garbage. To give them up, remove the object `{}`",
            ObjectName::mark()
        ))),
    }
}

/// What both carry, while others may begin at the same time: they name the catalog before they mark blobs that are shared,
/// and use neither before both are done.
async fn both(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(Option<String>, Option<String>), Fault> {
    let before = mark(blobs).await?;
    let name = catalog.setting(INSTALLATION).await?;
    match before {
        None if name.is_some() => Ok((name, mark(blobs).await?)),
        _ => Ok((name, before)),
    }
}

/// Makes sure of it without writing; what is not tied yet passes.
pub(super) async fn compared(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    match (catalog.setting(INSTALLATION).await?, mark(blobs).await?) {
        (Some(name), Some(mark)) => same(&name, &mark),
        _ => Ok(()),
    }
}

/// Ties the two. A folder is marked before the catalog knows, so that a second replica with a folder of its own is refused.
async fn tie(catalog: &dyn Catalog, blobs: &dyn Blobs) -> Result<(), Fault> {
    let mut name = Uuid::now_v7().to_string();
    if blobs.is_shared() {
        name = catalog.settle(INSTALLATION, &name).await?;
    }
    leave(blobs, &name).await?;
    settle(catalog, &name).await
}

async fn settle(catalog: &dyn Catalog, mark: &str) -> Result<(), Fault> {
    same(&catalog.settle(INSTALLATION, mark).await?, mark)
}

fn same(name: &str, mark: &str) -> Result<(), Fault> {
    if name == mark {
        return Ok(());
    }
    Err(strangers(&format!("the catalog is {name}, the blobs are {mark}")))
}

fn strangers(why: &str) -> Fault {
    let what = format!(
        "the catalog and the blobs belong to different installations; look at postgresql.database, s3.bucket, s3.prefix \
         and store.data_dir ({why})"
    );
    Fault::new(Kind::StoreUnavailable, what)
}

async fn is_empty(blobs: &dyn Blobs) -> Result<bool, Fault> {
    for prefix in [ObjectName::BLOBS, ObjectName::UPLOADS] {
        if !blobs.list(prefix, None, 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The name that the blobs carry.
async fn mark(blobs: &dyn Blobs) -> Result<Option<String>, Fault> {
    let mark = ObjectName::mark();
    let Some(size) = blobs.size(&mark).await? else {
        return Ok(None);
    };
    let Some(body) = blobs.open(&mark, Some(0..size.min(LONGEST))).await? else {
        return Ok(None);
    };
    let chunks: Vec<_> = body.try_collect().await?;
    let text = String::from_utf8_lossy(&chunks.concat()).trim().to_owned();
    Ok(Some(text))
}

async fn leave(blobs: &dyn Blobs, name: &str) -> Result<(), Fault> {
    let mut writer = blobs.create(&ObjectName::mark()).await?;
    writer.write(name.to_owned().into()).await?;
    writer.commit().await.map(drop)
}

#[cfg(test)]
#[path = "tie/tests.rs"]
mod tests;
