//! The right to administer, as a parameter: a handler that takes it is reached with a valid token only.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::problem::ApiError;
use crate::state::State;

/// The request bears the admin token. It must be a handler's first parameter: then nothing of a body is read for
/// those without.
pub(crate) struct Authorised;

impl FromRequest for Authorised {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let admitted = is_admin(request);
        ready(admitted.then_some(Self).ok_or_else(ApiError::unauthorized))
    }
}

/// Whether a request bears the admin token.
pub(crate) fn is_admin(request: &HttpRequest) -> bool {
    let field = request.headers().get(header::AUTHORIZATION);
    let field = field.and_then(|value| value.to_str().ok());
    request
        .app_data::<Data<State>>()
        .is_some_and(|state| state.access.is_admin(field))
}
