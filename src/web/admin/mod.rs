//! The admin API, `/api/v2`: one endpoint, one file; the order within is doc, parameters, handler, tests.

mod authorised;
mod body;
pub(crate) mod collection;
pub(crate) mod events;
#[cfg(feature = "failpoints")]
pub(crate) mod failpoints;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod probe;
mod query;
pub(crate) mod repositories;
pub(crate) mod stats;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;

use actix_web::HttpRequest;
use artifactapi_core::headers::Headers;

/// Result of a handler.
type Answer = Result<actix_web::HttpResponse, crate::problem::ApiError>;

/// A request's fields in the words of the pure crates; values that are no text are left out.
fn fields(request: &HttpRequest) -> Headers {
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), text(value)?)))
        .collect()
}
