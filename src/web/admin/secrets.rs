//! `POST /api/v2/secrets/rotate`: reads the key file again and seals every secret with its first key.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::{Answer, authorised::Authorised, carried_through};
use crate::state::State;

/// Answers with the id of the key and how many secrets it seals now.
pub(crate) async fn rotate(_: Authorised, state: Data<State>) -> Answer {
    carried_through(async move { Ok(HttpResponse::Ok().json(state.admin.rotate_secrets().await?)) }).await
}
