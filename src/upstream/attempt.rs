//! The candidates of a request in order.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Answer, Method, Request};

use crate::answer;
use crate::client::Shared;
use crate::fields;
use crate::redirects::{self, Trip};

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
        match redirects::follow(&shared, &identity, &trip, false).await {
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

/// Whether another candidate may do better.
fn elsewhere(fault: &Fault) -> bool {
    matches!(fault.kind, Kind::Unreachable | Kind::Timeout | Kind::Broken)
}

fn host<'a>(trip: &Trip<'a>) -> &'a str {
    trip.start.host_str().unwrap_or_default()
}
