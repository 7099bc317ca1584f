//! `POST /api/v2/probe {remote, path, method?}`: what would happen to a request, tried on the real upstream.

use actix_web::HttpResponse;
use actix_web::web::Data;
use artifactapi_api::probe::ProbeOrder;

use super::{Answer, authorised::Authorised, body::Json};
use crate::state::State;

/// 200 whenever the probe ran, whatever came of it; nothing is stored.
pub(crate) async fn handle(_: Authorised, state: Data<State>, body: Json) -> Answer {
    let order: ProbeOrder = body.read()?;
    Ok(HttpResponse::Ok().json(state.admin.probe(&order).await?))
}
