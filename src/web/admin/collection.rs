//! `/api/v2/gc`: `POST {grace_seconds?, dry_run?}` collects now, `GET` shows the last report.

use actix_web::HttpResponse;
use actix_web::web::Data;
use artifactapi_api::gc::GcOrder;

use super::{Answer, authorised::Authorised, body::Json};
use crate::state::State;

/// The last collection since start.
pub(crate) async fn last(_: Authorised, state: Data<State>) -> Answer {
    Ok(HttpResponse::Ok().json(state.admin.collection()?))
}

/// Collects, and answers with the report when it is done.
pub(crate) async fn run(_: Authorised, state: Data<State>, body: Json) -> Answer {
    let order: GcOrder = body.read()?;
    Ok(HttpResponse::Ok().json(state.admin.collect(order).await?))
}
