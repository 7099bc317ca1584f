//! `/api/v2/health`, `…/health/live`, `…/health/ready`: for orchestrators and people, without a token.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_api::health::{Brief, Status};

use super::authorised::is_admin;
use crate::state::State;

/// Whether the process answers at all.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Brief { status: Status::Ok })
}

/// Whether requests are welcome: 503 while the server stops, and without catalog or blobs.
pub(crate) async fn ready(state: Data<State>) -> HttpResponse {
    if state.is_serving() && state.admin.ready().await {
        HttpResponse::Ok().json(Brief { status: Status::Ok })
    } else {
        HttpResponse::ServiceUnavailable().json(Brief { status: Status::Down })
    }
}

/// Every store and every worker; error texts for holders of the token alone. 503 when it is down.
pub(crate) async fn full(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let health = state.admin.health().await;
    let health = if is_admin(&request) {
        health
    } else {
        health.public()
    };
    let mut builder = match health.status {
        Status::Ok | Status::Degraded => HttpResponse::Ok(),
        Status::Down => HttpResponse::ServiceUnavailable(),
    };
    builder.json(health)
}
