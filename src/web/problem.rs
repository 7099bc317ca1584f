//! Errors of the admin API as responses: problem documents (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use artifactapi_api::Problem;
use artifactapi_api::problem::MEDIA;
use artifactapi_core::fault::{Fault, FieldError, Kind, Retry, Source};
use artifactapi_engine::admin::Refused;

/// The one text for everyone without a valid token, so that nothing can be told from it.
const UNAUTHORIZED: &str = "a valid admin token is needed: `Authorization: Bearer …`";

/// An error on its way to a client of the admin API.
#[derive(Debug)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    retry: Retry,
}

impl ApiError {
    /// An error without fields.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem::new(kind, detail)),
            retry: Retry::Never,
        }
    }

    /// The same for a missing, an unknown and a malformed token.
    pub(crate) fn unauthorized() -> Self {
        Self::new(Kind::Unauthorized, UNAUTHORIZED)
    }

    /// A query or a form of body that cannot be read.
    pub(crate) fn malformed(what: &str, errors: Vec<FieldError>) -> Self {
        Self {
            problem: Box::new(Problem::new(Kind::BadRequest, what).with_errors(errors)),
            retry: Retry::Never,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        if refused.fault.source == Source::Ours {
            log::error!(code = refused.fault.kind.code(); "an admin request failed: {:?}", refused.fault);
        }
        Self {
            problem: Box::new(refused.problem()),
            retry: refused.fault.retry,
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::from(Refused::from(fault))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, MEDIA));
        if self.problem.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Retry::After(pause) = self.retry {
            response.insert_header((header::RETRY_AFTER, pause.as_secs().max(1).to_string()));
        }
        if matches!(self.problem.status, 408 | 413) {
            response.force_close();
        }
        response.body(serde_json::to_vec(&self.problem).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_challenge_and_a_pause_become_header_fields() {
        let response = ApiError::unauthorized().error_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get("www-authenticate").unwrap(), "Bearer");
        assert_eq!(response.headers().get("content-type").unwrap(), MEDIA);
        let fault = Fault::new(Kind::Overloaded, "later").retry_after(Duration::from_millis(200));
        let response = ApiError::from(fault).error_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    }
}
