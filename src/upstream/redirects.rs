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
use crate::trouble;

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
) -> Result<Landed, Fault> {
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
        let response = tokio::time::timeout(left, hop(shared, identity, trip, (&url, trust)))
            .await
            .map_err(|_| late(&url))??;
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
    Err(Fault::new(Kind::Broken, "upstream redirects in circles"))
}

/// One request to one place, tried again with growing pauses while it cannot be reached.
async fn hop(
    shared: &Shared,
    identity: &Identity,
    trip: &Trip<'_>,
    (url, trust): (&Url, Trust),
) -> Result<Response, Fault> {
    let client = shared.identities.client(identity, trust)?;
    let mut done = 0;
    loop {
        let mut request = reqwest::Request::new(trip.method.clone(), url.clone());
        *request.headers_mut() = trip.fields.clone();
        if let Some(value) = auth::authorization(&identity.origin, url) {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let trouble = match client.execute(request).await {
            Ok(response) => return Ok(response),
            Err(error) => trouble::before_head(error, &authority(url)),
        };
        if !trouble.again || done >= shared.settings.retries {
            return Err(trouble.fault);
        }
        log::debug!("trying again: {:?}", trouble.fault);
        tokio::time::sleep(shared.settings.pause(done, shared.noise())).await;
        done = done.saturating_add(1);
    }
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

fn late(url: &Url) -> Fault {
    trouble::passing(Kind::Timeout, "upstream did not answer in time").because(authority(url))
}

/// Host and port, for counting.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}
