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
pub(crate) mod secrets;
pub(crate) mod stats;

#[cfg(test)]
pub(crate) mod harness;
#[cfg(test)]
mod tests;

use std::future::Future;

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_actors::spawn_named;
use artifactapi_core::fault::Kind;
use artifactapi_core::headers::Headers;
use tokio::sync::oneshot;

use crate::problem::ApiError;

/// Result of a handler.
type Answer = Result<HttpResponse, ApiError>;

/// Carries a change through even if the client leaves meanwhile: half of it would leave memory behind the catalog.
async fn carried_through(change: impl Future<Output = Answer> + 'static) -> Answer {
    let (done, answer) = oneshot::channel();
    spawn_named("admin-change", async move {
        // Nobody is left to be told when the client has gone.
        drop(done.send(change.await));
    });
    let lost = |_| {
        Err(ApiError::new(
            Kind::Internal,
            "the change met a defect of the server",
        ))
    };
    answer.await.unwrap_or_else(lost)
}

/// A request's fields in the words of the pure crates; values that are no text are left out.
fn fields(request: &HttpRequest) -> Headers {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), text(value)?)))
        .collect()
}
