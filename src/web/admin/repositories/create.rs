//! `POST /api/v2/remotes` and `/locals`: creates one. 201 with its place; 409 when the name is taken; 422 with the
//! refused fields.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use artifactapi_engine::admin::Stored;

use super::super::{Answer, authorised::Authorised, body::Json, carried_through};
use super::respond;
use crate::state::State;

/// Creates a repository from a document.
pub(crate) async fn handle<S: Stored>(_: Authorised, state: Data<State>, body: Json) -> Answer {
    carried_through(async move {
        let document = state.admin.create::<S>(body.0).await?;
        let place = format!("/api/v2/{}s/{}", S::KIND, document.draft.name);
        let mut created = HttpResponse::Created();
        Ok(respond(
            created.insert_header((header::LOCATION, place)),
            &document,
        ))
    })
    .await
}
