//! `GET /api/v2/remotes`, `GET /api/v2/remotes/{name}`, and the same for locals. Secrets are left out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised};
use super::shown;
use crate::state::State;

/// All of them, by name, as an array.
pub(crate) async fn list<S: Stored>(_: Authorised, state: Data<State>) -> Answer {
    Ok(HttpResponse::Ok().json(state.admin.list::<S>().await?))
}

/// One of them; its `ETag` is for `If-Match`.
pub(crate) async fn get<S: Stored>(_: Authorised, state: Data<State>, name: Path<String>) -> Answer {
    Ok(shown(StatusCode::OK, &state.admin.get::<S>(&name).await?))
}
