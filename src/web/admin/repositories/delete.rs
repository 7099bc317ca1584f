//! `DELETE /api/v2/remotes/{name}` and `/locals/{name}`: 204, and everything it held goes with it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, fields};
use crate::state::State;

/// Deletes a repository, if `If-Match` allows it.
pub(crate) async fn handle<S: Stored>(
    _: Authorised,
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> Answer {
    state.admin.delete::<S>(&name, &fields(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}
