//! `Expect: 100-continue` (RFC 9110 §10.1.1): whoever may not write hears so before sending a body.

use actix_http::body::BoxBody;
use actix_http::{HttpMessage as _, Request, Response};
use actix_web::http::header;
use artifactapi_core::fault::Kind;
use artifactapi_engine::exchange::Access;

use crate::middleware::Dialect;
use crate::problem::ApiError;
use crate::state::State;

/// Admits the body, or answers at once. Every request with a body is a write, and every write needs the token.
pub(super) fn judge(state: &State, request: Request) -> Result<Request, Response<BoxBody>> {
    let field = request.headers().get(header::AUTHORIZATION);
    let field = field.and_then(|value| value.to_str().ok());
    let dialect = Dialect::of(request.path());
    let admitted = match dialect {
        Dialect::Plain => state.access.judge(field) == Access::Admin,
        Dialect::Problem => state.access.is_admin(field),
    };
    if admitted {
        return Ok(request);
    }
    let error = match dialect {
        Dialect::Plain => ApiError::new(Kind::Unauthorized, "a valid token is needed to write here"),
        Dialect::Problem => ApiError::unauthorized(),
    };
    Err(dialect.error(&error).into())
}
