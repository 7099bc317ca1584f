//! The candidates of a request in order, each tried again while it cannot be reached.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Answer, Method, Request};

use crate::answer;
use crate::client::Shared;
use crate::clients::Identity;
use crate::fields;
use crate::redirects::{self, Landed, Trip};

/// Sends a request to the first candidate that answers with less than 500; the last one's answer stands as it is.
pub(crate) async fn run(shared: Arc<Shared>, request: Request) -> Result<Answer, Fault> {
    let identity = shared.identities.of(&request.origin);
    let sent = fields::outgoing(&request);
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
    };
    let mut urls = request.urls.iter().peekable();
    while let Some(url) = urls.next() {
        let trip = Trip {
            method: &method,
            start: url,
            fields: &sent,
        };
        let last = urls.peek().is_none();
        match reach(&shared, &identity, &trip).await {
            Ok(landed) if last || landed.response.status().as_u16() < 500 => {
                return answer::make(&shared, identity, &request, (url, sent), landed);
            }
            Ok(landed) => log::debug!(
                "{} answers {}; trying a mirror",
                host(&trip),
                landed.response.status()
            ),
            Err(fault) if last || !elsewhere(&fault) => return Err(fault),
            Err(fault) => log::debug!("{}: {fault:?}; trying a mirror", host(&trip)),
        }
    }
    Err(Fault::ours(
        Kind::Internal,
        "a request without a URL",
        "urls is empty",
    ))
}

/// Tries one candidate, with growing pauses while it cannot be reached.
async fn reach(shared: &Shared, identity: &Identity, trip: &Trip<'_>) -> Result<Landed, Fault> {
    let mut done = 0;
    loop {
        let trouble = match redirects::follow(shared, identity, trip, false).await {
            Ok(landed) => return Ok(landed),
            Err(trouble) => trouble,
        };
        if !trouble.again || done >= shared.settings.retries {
            return Err(trouble.fault);
        }
        log::debug!("{}: {:?}; trying again", host(trip), trouble.fault);
        tokio::time::sleep(shared.settings.pause(done, shared.noise())).await;
        done = done.saturating_add(1);
    }
}

/// Whether another candidate may do better.
fn elsewhere(fault: &Fault) -> bool {
    matches!(fault.kind, Kind::Unreachable | Kind::Timeout | Kind::Broken)
}

fn host<'a>(trip: &Trip<'a>) -> &'a str {
    trip.start.host_str().unwrap_or_default()
}
