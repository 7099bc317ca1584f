//! `POST /api/v2/failpoints/crash?worker=NAME`: makes a worker panic. Built with the feature `failpoints` alone, for the
//! integration tests; no release has it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_core::fault::Fault;
use serde::Deserialize;

use super::{Answer, authorised::Authorised, query};
use crate::state::State;

/// The query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    worker: String,
}

/// Answers 204 when the worker has panicked, 404 if there is none of this name.
pub(crate) async fn crash(_: Authorised, request: HttpRequest, state: Data<State>) -> Answer {
    let target: Target = query::read(&request)?;
    if state.admin.handles().crash(&target.worker).await {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Fault::not_found("no worker of this name").into())
    }
}
