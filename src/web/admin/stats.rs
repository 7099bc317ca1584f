//! `GET /api/v2/stats?hours=`: what was asked and what the cache answered, kept over restarts.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_api::stats::StatsQuery;

use super::{Answer, authorised::Authorised, query};
use crate::state::State;

/// Totals and repositories count everything; the series goes back `hours`.
pub(crate) async fn handle(_: Authorised, request: HttpRequest, state: Data<State>) -> Answer {
    let query: StatsQuery = query::read(&request)?;
    Ok(HttpResponse::Ok().json(state.admin.stats(query).await?))
}
