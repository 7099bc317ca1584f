//! What the HTTP library reports, in our words. Its texts hold URLs and addresses, so they become causes only.

use std::error::Error;

use artifactapi_core::Fault;
use artifactapi_core::fault::{Kind, Retry};

use crate::egress::Refused;

/// A failure before the head of an answer.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What to report.
    pub(crate) fault: Fault,
    /// Whether the same URL may be tried again.
    pub(crate) again: bool,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { fault, again: false }
    }
}

/// Why no head came from `host`.
pub(crate) fn before_head(error: reqwest::Error, host: &str) -> Trouble {
    let error = error.without_url();
    if let Some(refused) = refusal(&error) {
        return Trouble::from(refused.fault(host));
    }
    if error.is_builder() {
        return Trouble::from(
            Fault::new(Kind::Broken, "upstream named a URL that cannot be asked")
                .because(format!("{host}: {}", chain(&error))),
        );
    }
    let (kind, what) = if error.is_connect() {
        (Kind::Unreachable, "no connection to upstream")
    } else {
        (Kind::Broken, "upstream broke off before it answered")
    };
    Trouble {
        fault: passing(kind, what).because(format!("{host}: {}", chain(&error))),
        again: true,
    }
}

/// A fault that may be over soon.
pub(crate) fn passing(kind: Kind, what: &str) -> Fault {
    Fault {
        retry: Retry::Now,
        ..Fault::new(kind, what)
    }
}

/// The refusal of our own resolver, if that is what made a connection fail.
fn refusal(error: &reqwest::Error) -> Option<Refused> {
    causes(error).find_map(|cause| cause.downcast_ref::<Refused>().copied())
}

/// An error with all it was caused by, for the log.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
