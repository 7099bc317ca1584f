//! `GET /metrics`: the text format of Prometheus; open unless a setting closes it.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{Answer, authorised::is_admin};
use crate::metrics;
use crate::problem::ApiError;
use crate::state::State;

/// What was counted since start, and how things stand now.
pub(crate) async fn handle(request: HttpRequest, state: Data<State>) -> Answer {
    if !state.metrics_open && !is_admin(&request) {
        return Err(ApiError::unauthorized());
    }
    let gauges = state.admin.gauges().await?;
    let memory = metrics::resident_memory().await;
    let text = state.metrics.text(&gauges, memory);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, metrics::MEDIA))
        .body(text))
}
