//! Facts: what an index says of one file. No row means: fetch the index, look again.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::plan::{Fact, Want};
use artifactapi_core::policy::Admission;

use crate::Shared;
use crate::fetching::Quest;
use crate::obtain::{Document, Wish};
use crate::table::Mount;

/// The fact `id` of the index `owner`, which is fetched or refreshed when it does not say it yet.
pub(crate) async fn learn(
    shared: &Arc<Shared>,
    mount: &Arc<Mount>,
    owner: &Want,
    id: &str,
) -> Result<Fact, Fault> {
    if let Some(fact) = shared.catalog.fact(mount.id(), &owner.key, id).await? {
        return Ok(fact);
    }
    if let Admission::Denied(reason) = mount.policy.admit(&owner.key, owner.service) {
        return Err(Fault::client(Kind::Denied, reason));
    }
    // A copy that is fresh and does not name the file may be older than the file: it is confirmed first, at most
    // once per 30 s.
    let wish = Wish {
        revalidate: true,
        only_if_cached: false,
    };
    // Boxed, because an index could itself be named by an index.
    let got = Box::pin(Quest::new(shared, mount, owner.clone()).obtain(wish)).await?;
    let (document, _) = got.document(shared.index_patience).await?;
    let found = shared.catalog.fact(mount.id(), &owner.key, id).await?;
    match (found, document) {
        (Some(fact), _) => Ok(fact),
        (None, Document::Stored(_)) => Err(Fault::not_found("the index does not name this file")),
        (None, Document::Spooled(_)) => Err(Fault::new(
            Kind::StoreUnavailable,
            "the index could not be stored, so its files are not known",
        )),
    }
}
