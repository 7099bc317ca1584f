//! Redirecting: a client that reads a stored artifact is sent to the store of blobs for the bytes, where its repository
//! asks for that and the store gives links.
//!
//! Documents are never redirected: references in them are relative to where the client asked. Neither are requests
//! with conditions: the client would repeat them at the store, which knows other validators.

use artifactapi_core::Fault;
use artifactapi_core::entry::Entry;
use artifactapi_core::headers::Headers;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Class, Want};

use crate::exchange::{Body, Exchange, Response};
use crate::table::Mount;
use crate::{Shared, respond};

/// The conditions of RFC 9110 §13.1.
const CONDITIONS: [&str; 5] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
];

/// The redirect that answers a GET of stored bytes; `None` where we are to send them ourselves.
pub(crate) async fn to_store(
    shared: &Shared,
    x: &Exchange,
    (mount, want): (&Mount, &Want),
    entry: &Entry,
    outcome: Outcome,
) -> Result<Option<Response>, Fault> {
    let artifact = matches!(want.class, Class::Immutable(_));
    let conditional = CONDITIONS.iter().any(|name| x.headers.get(name).is_some());
    if conditional || !artifact || !mount.redirects_hits() {
        return Ok(None);
    }
    let media = want.media.unwrap_or(&entry.media);
    let link = shared
        .blobs
        .link(&entry.object, media, shared.link_lifetime)
        .await?;
    let Some(link) = link else {
        return Ok(None);
    };
    // A link says nothing about its object, and the client of one that is gone would not come back to us.
    if shared.blobs.size(&entry.object).await? != Some(entry.size) {
        return Err(shared.lost(entry).await);
    }
    let mut headers = Headers::from_iter([("location", link.as_str()), ("cache-control", "no-store")]);
    respond::mark(
        &mut headers,
        outcome,
        crate::obtain::ttl(entry, shared.clock.now()),
    );
    for (name, value) in mount.format.headers(want, entry) {
        headers.set(name, value);
    }
    Ok(Some(Response {
        status: 307,
        headers,
        body: Body::Bytes("".into()),
        outcome,
    }))
}
