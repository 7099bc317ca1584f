//! From what upstream's status means to the fault a client sees.

use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Head;
use artifactapi_formats::Meaning;

/// Longest `Retry-After` that is believed.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The fault for an answer that brings no bytes.
pub(crate) fn fault_of(meaning: Meaning, head: &Head) -> Fault {
    match meaning {
        Meaning::Absent(kind) => Fault::new(kind, "upstream has no such object"),
        Meaning::Denied => Fault::new(Kind::UpstreamDenied, "upstream refuses this object (403)"),
        Meaning::Credentials => Fault::new(
            Kind::BadCredentials,
            "upstream refuses the remote's credentials, or wants some (401)",
        ),
        Meaning::Quota => {
            Fault::new(Kind::Quota, "upstream asks for fewer requests (429)").retry_after(pause(head))
        }
        Meaning::Same => Fault::new(
            Kind::Broken,
            "upstream confirmed a copy that it was not asked about (304)",
        ),
        Meaning::Fresh | Meaning::Broken => Fault::new(
            Kind::Broken,
            format!("upstream answered with status {}", head.status),
        ),
    }
}

fn pause(head: &Head) -> Duration {
    let seconds = head
        .headers
        .get("retry-after")
        .and_then(|value| value.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(30)).min(LONGEST_PAUSE)
}
