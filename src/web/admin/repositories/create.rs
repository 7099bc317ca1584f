//! `POST /api/v2/remotes` and `/locals`: creates one. 201 with its place; 409 when the name is taken; 422 with the
//! refused fields.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, body::Json};
use super::respond;
use crate::state::State;

/// Creates a repository from a document.
pub(crate) async fn handle<S: Stored>(_: Authorised, state: Data<State>, body: Json) -> Answer {
    let document = state.admin.create::<S>(body.0).await?;
    let place = format!("/api/v2/{}s/{}", S::KIND, document.draft.name);
    Ok(respond(
        HttpResponse::Created().insert_header((header::LOCATION, place)),
        &document,
    ))
}
