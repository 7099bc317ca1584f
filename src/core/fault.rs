//! What can go wrong, in one word each, with who caused it and whether trying again can help.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whose doing a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A registry that we ask.
    Upstream,
    /// The one who asks us.
    Client,
    /// This program or its stores.
    Ours,
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without a change.
    Never,
    /// At once.
    Now,
    /// After this long; becomes `Retry-After`.
    After(Duration),
}

/// Declares [`Kind`] and its table in one place: variant, status, stable code, source.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $status:literal, $code:literal, $source:ident;)+) => {
        /// What went wrong. Each kind has one status and one stable code; `docs` explain it under that code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])+ $name,)+ }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The HTTP status a client sees.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// The stable code for programs, also the anchor of its explanation.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// Who usually causes it.
            pub fn source(self) -> Source {
                match self { $(Self::$name => Source::$source,)+ }
            }
        }
    };
}

kinds! {
    /// The request is malformed.
    BadRequest = 400, "bad_request", Client;
    /// A digest or length that the client sent does not fit its bytes.
    ChecksumMismatch = 400, "checksum_mismatch", Client;
    /// No valid token where one is needed.
    Unauthorized = 401, "unauthorized", Client;
    /// A known token without the right.
    Forbidden = 403, "forbidden", Client;
    /// The path is blocked, or not among the allowed ones.
    Denied = 403, "denied", Client;
    /// Upstream knows the object and refuses it.
    UpstreamDenied = 403, "upstream_denied", Upstream;
    /// No such repository, path or object.
    NotFound = 404, "not_found", Client;
    /// Upstream says the object is gone for good.
    Gone = 410, "gone", Upstream;
    /// The repository does not take this method.
    MethodNotAllowed = 405, "method_not_allowed", Client;
    /// The client was too slow with its request.
    RequestTimeout = 408, "request_timeout", Client;
    /// Other content exists under this name and may not be replaced.
    Conflict = 409, "conflict", Client;
    /// `If-Match` or its kin did not hold.
    PreconditionFailed = 412, "precondition_failed", Client;
    /// The body is larger than a limit.
    TooLarge = 413, "too_large", Client;
    /// The requested range lies outside.
    RangeNotSatisfiable = 416, "range_not_satisfiable", Client;
    /// The document is well formed and says something that cannot be.
    Invalid = 422, "invalid", Client;
    /// Upstream asks for fewer requests.
    Quota = 429, "upstream_quota", Upstream;
    /// A defect of this program.
    Internal = 500, "internal", Ours;
    /// No connection to upstream.
    Unreachable = 502, "upstream_unreachable", Upstream;
    /// Upstream answered with an error of its own or broke the protocol.
    Broken = 502, "upstream_broken", Upstream;
    /// The transfer ended before it was complete.
    Cut = 502, "upstream_cut", Upstream;
    /// The bytes do not match the digest or size that was known before.
    Corrupt = 502, "upstream_corrupt", Upstream;
    /// An immutable path has other bytes than when it was first seen.
    Changed = 502, "upstream_changed", Upstream;
    /// Upstream's object is larger than the remote's limit.
    UpstreamTooLarge = 502, "upstream_too_large", Upstream;
    /// Upstream refuses our credentials.
    BadCredentials = 502, "upstream_credentials", Upstream;
    /// A redirect or an index leads to an address that must not be reached.
    Egress = 502, "egress_refused", Upstream;
    /// Upstream is failing and is left alone for a while.
    BreakerOpen = 503, "breaker_open", Upstream;
    /// Too many fetches wait already.
    Overloaded = 503, "overloaded", Ours;
    /// The catalog or the blob store cannot be reached.
    StoreUnavailable = 503, "store_unavailable", Ours;
    /// Upstream did not answer in time.
    Timeout = 504, "upstream_timeout", Upstream;
}

/// A failure on its way to whoever must be told.
#[derive(Clone)]
pub struct Fault {
    /// What went wrong.
    pub kind: Kind,
    /// Whose doing it is.
    pub source: Source,
    /// Whether trying again helps.
    pub retry: Retry,
    /// One sentence for the client; never holds a secret or an inner address.
    pub what: String,
    /// The error beneath; for the log alone.
    pub cause: Option<Arc<str>>,
    /// Whether it repeats what upstream said a moment ago, instead of asking again.
    pub remembered: bool,
}

impl Fault {
    /// A fault of the kind's usual source, not worth retrying.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            source: kind.source(),
            retry: Retry::Never,
            what: what.into(),
            cause: None,
            remembered: false,
        }
    }

    /// A fault that the client caused.
    pub fn client(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            source: Source::Client,
            ..Self::new(kind, what)
        }
    }

    /// A defect or a broken store, with its cause for the log.
    pub fn ours(kind: Kind, what: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            source: Source::Ours,
            ..Self::new(kind, what)
        }
        .because(cause)
    }

    /// Adds the error beneath.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string().into());
        self
    }

    /// Says that a retry may help after `pause`.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry = Retry::After(pause);
        self
    }

    /// Marks it as an earlier answer, repeated.
    #[must_use]
    pub fn from_memory(mut self) -> Self {
        self.remembered = true;
        self
    }

    /// Nothing of this name.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::client(Kind::NotFound, what)
    }

    /// Whether this says that upstream is in trouble, so that a stale copy is better than the fault.
    pub fn is_trouble(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable
                | Kind::Broken
                | Kind::Cut
                | Kind::Corrupt
                | Kind::BadCredentials
                | Kind::BreakerOpen
                | Kind::Overloaded
                | Kind::Timeout
                | Kind::Quota
                | Kind::Egress
        )
    }

    /// Whether it counts against the upstream's circuit breaker: connection, time, 5xx, cut; never quota or digest.
    pub fn trips_breaker(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable | Kind::Broken | Kind::Cut | Kind::Timeout
        )
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.what)?;
        self.cause
            .as_ref()
            .map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

/// One field of a document that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// Dotted path of the field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FieldError {
    /// A complaint about a field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes and statuses are an interface: programs and dashboards read them.
    #[test]
    fn the_table_of_kinds_is_pinned() {
        let table: Vec<_> = Kind::ALL
            .iter()
            .map(|kind| format!("{} {}", kind.status(), kind.code()))
            .collect();
        let pinned = "400 bad_request, 400 checksum_mismatch, 401 unauthorized, 403 forbidden, 403 denied, \
             403 upstream_denied, 404 not_found, 410 gone, 405 method_not_allowed, 408 request_timeout, 409 conflict, \
             412 precondition_failed, 413 too_large, 416 range_not_satisfiable, 422 invalid, 429 upstream_quota, \
             500 internal, 502 upstream_unreachable, 502 upstream_broken, 502 upstream_cut, 502 upstream_corrupt, \
             502 upstream_changed, 502 upstream_too_large, 502 upstream_credentials, 502 egress_refused, 503 breaker_open, 503 overloaded, \
             503 store_unavailable, 504 upstream_timeout";
        assert_eq!(table.join(", "), pinned);
    }

    #[test]
    fn causes_stay_out_of_what_a_client_reads() {
        let fault = Fault::ours(Kind::StoreUnavailable, "the catalog is away", "password=hunter2");
        assert_eq!(fault.to_string(), "the catalog is away");
        assert!(format!("{fault:?}").contains("hunter2"));
    }
}
