//! One request along its redirects: rules, credentials and a permit per hop, nothing left to the HTTP library.

use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, Response};
use tokio::time::Instant;
use url::Url;

use crate::auth;
use crate::client::Shared;
use crate::clients::Identity;
use crate::egress::Trust;
use crate::permits::Permit;
use crate::trouble::{self, Trouble};

/// Redirects followed for one request.
const MOST_HOPS: usize = 5;

/// Bodies of redirects that are worth reading, and how long.
const SMALL: u64 = 16 * 1024;
const DRAIN: Duration = Duration::from_millis(200);

/// A request to send.
pub(crate) struct Trip<'a> {
    /// GET or HEAD.
    pub(crate) method: &'a Method,
    /// Where it starts.
    pub(crate) start: &'a Url,
    /// Fields for every hop.
    pub(crate) fields: &'a HeaderMap,
}

/// An answer that is no redirect.
pub(crate) struct Landed {
    /// Its head, and its body to come.
    pub(crate) response: Response,
    /// Where it came from.
    pub(crate) url: Url,
    /// The right to read its body; nothing if the caller brought one along.
    pub(crate) permit: Option<Permit>,
}

/// Sends a request and follows redirects until something else is answered.
///
/// `admitted` says that the caller holds a permit already: a resumption goes on with the one of its body.
pub(crate) async fn follow(
    shared: &Shared,
    identity: &Identity,
    trip: &Trip<'_>,
    admitted: bool,
) -> Result<Landed, Trouble> {
    let mut url = trip.start.clone();
    url.set_fragment(None);
    let mut trust = identity.guard.judge(&url)?;
    let mut left = shared.settings.head;
    for _ in 0..=MOST_HOPS {
        let permit = if admitted {
            None
        } else {
            Some(shared.permits.take(&authority(&url)).await?)
        };
        let sent = Instant::now();
        let response = hop(shared, identity, trip, (&url, trust), left).await?;
        let Some(next) = target(&response, &url)? else {
            return Ok(Landed {
                response,
                url,
                permit,
            });
        };
        trust = identity.guard.judge_hop(&url, &next)?;
        url = next;
        drain(response).await;
        left = left.saturating_sub(sent.elapsed());
    }
    Err(Trouble::from(Fault::new(
        Kind::Broken,
        "upstream redirects in circles",
    )))
}

/// One request to one place, within the time left for heads.
async fn hop(
    shared: &Shared,
    identity: &Identity,
    trip: &Trip<'_>,
    (url, trust): (&Url, Trust),
    left: Duration,
) -> Result<Response, Trouble> {
    let client = shared.identities.client(identity, trust)?;
    let mut request = reqwest::Request::new(trip.method.clone(), url.clone());
    *request.headers_mut() = trip.fields.clone();
    if let Some(value) = auth::authorization(&identity.origin, url) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let answered = tokio::time::timeout(left, client.execute(request)).await;
    answered
        .map_err(|_| {
            trouble::passing(Kind::Timeout, "upstream did not answer in time").because(authority(url))
        })?
        .map_err(|error| trouble::before_head(error, &authority(url)))
}

/// Reads what is left of a small answer, so that its connection can be used again.
async fn drain(response: Response) {
    if response.content_length().is_some_and(|length| length <= SMALL) {
        tokio::time::timeout(DRAIN, response.bytes()).await.ok();
    }
}

/// Where a redirect leads; nothing for any other answer.
fn target(response: &Response, from: &Url) -> Result<Option<Url>, Fault> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let mut next = location
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| Fault::new(Kind::Broken, "upstream redirects to nowhere"))?;
    next.set_fragment(None);
    Ok(Some(next))
}

/// Host and port, for counting.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}
