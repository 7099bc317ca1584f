//! `DELETE …/objects?path=|prefix=|pattern=|all=true[&forget=true]`: evicts from a remote, deletes from a local.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_api::objects::EvictQuery;
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, carried_through, query};
use crate::state::State;

/// Removes what the query chooses; 400 unless it names exactly one way to choose.
pub(crate) async fn handle<S: Stored>(
    _: Authorised,
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> Answer {
    let query: EvictQuery = query::read(&request)?;
    carried_through(async move {
        let evicted = state.admin.evict::<S>(&name, &query).await?;
        Ok(HttpResponse::Ok().json(evicted))
    })
    .await
}
