//! `GET /api/v2/events?remote=&kind=`: what happens, as it happens (Server-Sent Events). Lists are separated by
//! commas; `Last-Event-ID` (or `?last_event_id=`) resumes.

use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_actors::handles::Filter;
use artifactapi_core::event::EventKind;
use artifactapi_core::fault::FieldError;
use serde::Deserialize;

use super::{Answer, authorised::Authorised, query};
use crate::problem::ApiError;
use crate::sse;
use crate::state::State;

/// What watchers are told whatever kinds they want; it may be named all the same.
const MISSED: &str = "missed";

/// The query of the stream.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    /// Names of repositories; absent means all.
    remote: Option<String>,
    /// Kinds of events; absent means all.
    kind: Option<String>,
    /// The last event seen, for clients that cannot set the header field.
    last_event_id: Option<u64>,
}

/// Streams events until the client leaves or the server stops.
pub(crate) async fn handle(_: Authorised, request: HttpRequest, state: Data<State>) -> Answer {
    let query: EventQuery = query::read(&request)?;
    let filter = Filter {
        remotes: items(query.remote.as_deref()).map(str::to_owned).collect(),
        kinds: items(query.kind.as_deref())
            .filter(|name| *name != MISSED)
            .map(kind)
            .collect::<Result<_, _>>()?,
    };
    let field = request.headers().get("last-event-id");
    let resumed = field.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let watch = state
        .admin
        .handles()
        .events
        .watch(filter, resumed.or(query.last_event_id))
        .await;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Reverse proxies that buffer would hold events back.
        .insert_header(("x-accel-buffering", "no"));
    // The server would poll the body of an answer to HEAD to its end, which never comes.
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    Ok(response.streaming(sse::stream(watch, state.phase.clone())))
}

fn items(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn kind(name: &str) -> Result<EventKind, ApiError> {
    let known = EventKind::ALL.iter().copied();
    known.clone().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let names: Vec<_> = known.map(EventKind::as_str).collect();
        let error = FieldError::new("kind", format!("knows {}", names.join(", ")));
        ApiError::malformed("the query is refused; `errors` says why", vec![error])
    })
}
