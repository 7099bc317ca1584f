//! What handlers share: made once, the same for every worker.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::config::Config;
use artifactapi_engine::Engine;
use artifactapi_engine::admin::Admin;
use tokio::sync::watch;

use crate::access::Tokens;
use crate::metrics::Metrics;
use crate::proxy::body::Pace;

/// What handlers share.
pub(crate) struct State {
    /// Serves the repositories.
    pub(crate) engine: Arc<Engine>,
    /// Carries out the admin API.
    pub(crate) admin: Arc<Admin>,
    /// Knows who is who.
    pub(crate) access: Tokens,
    /// How slowly a body may arrive.
    pub(crate) pace: Pace,
    /// What was counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether metrics need no token.
    pub(crate) metrics_open: bool,
    /// How far the end of the server has come.
    pub(crate) phase: watch::Receiver<Phase>,
}

/// The life of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It still serves, but says that it is not ready, so that balancers look elsewhere.
    Draining,
    /// It takes nothing new; streams without an end are ended.
    Stopping,
}

impl State {
    /// Whether new requests are welcome.
    pub(crate) fn is_serving(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }
}

/// How slowly a body may arrive, from the settings.
pub(crate) fn pace(config: &Config) -> Pace {
    let deadlines = &config.deadlines;
    Pace {
        idle: Duration::from_secs(deadlines.body_idle_seconds),
        bytes: deadlines
            .min_rate_bytes
            .saturating_mul(deadlines.min_rate_seconds),
        window: Duration::from_secs(deadlines.min_rate_seconds),
    }
}
