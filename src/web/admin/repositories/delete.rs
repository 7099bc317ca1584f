//! `DELETE /api/v2/remotes/{name}` and `/locals/{name}`: 204, and everything it held goes with it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, carried_through, fields};
use crate::state::State;

/// Deletes a repository, if `If-Match` allows it.
pub(crate) async fn handle<S: Stored>(
    _: Authorised,
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> Answer {
    let headers = fields(&request);
    carried_through(async move {
        state.admin.delete::<S>(&name, &headers).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}
