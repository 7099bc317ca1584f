//! `GET …/objects?prefix=&search=&limit=&after=`: what a repository holds, page by page.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_api::objects::ObjectQuery;
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, query};
use crate::state::State;

/// A page in byte order of paths; `next` leads to the following one.
pub(crate) async fn handle<S: Stored>(
    _: Authorised,
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> Answer {
    let query: ObjectQuery = query::read(&request)?;
    Ok(HttpResponse::Ok().json(state.admin.objects::<S>(&name, &query).await?))
}
