//! `/api/v1/remote/{name}/{path}`: reads of remotes and locals, writes to locals.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_core::headers::Headers;
use artifactapi_core::plan::Verb;
use artifactapi_engine::exchange::Exchange;
use futures_util::future::{Either, select};

use super::{body, reply};
use crate::sendfile::Outlet;
use crate::state::State;

/// The part of the path in front of a repository's name.
pub(crate) const PREFIX: &str = "/api/v1/remote/";

/// Fields that no answer to a read depends on, or on `Accept` and `Host` alone.
const PLAIN: [HeaderName; 6] = [
    header::HOST,
    header::USER_AGENT,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONNECTION,
];

/// Translates a request for the engine, and its answer back.
pub(crate) async fn handle(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let Some(verb) = verb(request.method()) else {
        return refuse(request.method());
    };
    let exchange = exchange(&request, verb, &state);
    if verb == Verb::Get {
        let response = state.engine.serve(exchange).await;
        return reply::http(response, request.conn_data::<Outlet>());
    }
    let (stream, pump) = body::bridge(payload, state.pace);
    let (write, pump) = (state.engine.write(exchange, stream), pump);
    let (write, pump) = (std::pin::pin!(write), std::pin::pin!(pump));
    let response = match select(write, pump).await {
        Either::Left((response, _)) => response,
        Either::Right(((), write)) => write.await,
    };
    reply::http(response, request.conn_data::<Outlet>())
}

/// Whether a request asks for nothing but what lies under a path.
pub(crate) fn is_plain(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    *method == Method::GET && uri.query().is_none() && headers.keys().all(|name| PLAIN.contains(name))
}

fn verb(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET | Method::HEAD => Some(Verb::Get),
        Method::PUT => Some(Verb::Put),
        Method::POST => Some(Verb::Post),
        Method::PATCH => Some(Verb::Patch),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

fn refuse(method: &Method) -> HttpResponse {
    let mut response = match *method {
        Method::OPTIONS => HttpResponse::NoContent(),
        _ => HttpResponse::MethodNotAllowed(),
    };
    response
        .insert_header(("allow", "GET, HEAD, PUT, DELETE, OPTIONS"))
        .finish()
}

/// Takes the path raw: decoding is the engine's, once and strictly.
fn exchange(request: &HttpRequest, verb: Verb, state: &State) -> Exchange {
    let below = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let (repo, raw_path) = below.split_once('/').unwrap_or((below, ""));
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: Headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    Exchange {
        verb,
        head: request.method() == Method::HEAD,
        files: request.conn_data::<Outlet>().is_some(),
        plain: is_plain(request.method(), request.uri(), request.headers()),
        framed: request.version() >= Version::HTTP_11,
        repo: repo.to_owned(),
        raw_path: raw_path.to_owned(),
        query: request.query_string().to_owned(),
        who: state.access.judge(headers.get("authorization")),
        headers,
    }
}
