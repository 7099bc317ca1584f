//! `PUT /api/v2/remotes/{name}` and `/locals/{name}`: replaces the whole. Omitted settings return to their defaults,
//! omitted secrets stay. Another upstream drops what is cached, unless `?keep_objects=true`.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use artifactapi_engine::admin::{Change, Stored};

use super::super::{Answer, authorised::Authorised, body::Json, carried_through, fields, query};
use super::{ChangeQuery, shown};
use crate::state::State;

/// Replaces a repository's settings, if `If-Match` allows it.
pub(crate) async fn handle<S: Stored>(
    _: Authorised,
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    body: Json,
) -> Answer {
    let query: ChangeQuery = query::read(&request)?;
    let change = Change::Replace {
        body: body.0,
        keep_objects: query.keep_objects,
    };
    let headers = fields(&request);
    carried_through(async move {
        let document = state.admin.change::<S>(&name, &headers, &change).await?;
        Ok(shown(StatusCode::OK, &document))
    })
    .await
}
