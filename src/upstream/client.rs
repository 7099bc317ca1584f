//! The client: the port's implementation, which hands each request to its own runtime.

use std::sync::Arc;

use artifactapi_core::port::upstream::{Answer, Request, Upstream};
use artifactapi_core::{Clock, Fault, config};
use artifactapi_io::Io;
use async_trait::async_trait;

use crate::attempt;
use crate::clients::Identities;
use crate::permits::{Limits, Permits};
use crate::resolver::{Names, SystemNames};
use crate::settings::Settings;
use crate::tls::Trusted;

/// The client for strangers. Cheap to share; bodies outlive it.
pub struct Client {
    shared: Arc<Shared>,
}

/// What requests and bodies have in common.
pub(crate) struct Shared {
    /// Where sockets live.
    pub(crate) io: Io,
    /// Limits.
    pub(crate) settings: Settings,
    /// Remotes and their HTTP clients.
    pub(crate) identities: Identities,
    /// Admission.
    pub(crate) permits: Permits,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client that resolves names as the machine does, its sockets on `io`. `Internal` if the machine's trust store
    /// cannot be read.
    pub fn new(settings: config::Upstream, clock: Arc<dyn Clock>, io: &Io) -> Result<Self, Fault> {
        let trusted = Arc::new(Trusted::load()?);
        Ok(Self::assemble(
            settings.into(),
            clock,
            Arc::new(SystemNames),
            trusted,
            io.clone(),
        ))
    }

    /// Puts a client together from its parts.
    pub(crate) fn assemble(
        settings: Settings,
        clock: Arc<dyn Clock>,
        names: Arc<dyn Names>,
        trusted: Arc<Trusted>,
        io: Io,
    ) -> Self {
        let limits = Limits {
            per_host: settings.per_host,
            in_all: settings.in_all,
            queue: settings.queue,
            wait: settings.queue_wait,
        };
        Self {
            shared: Arc::new(Shared {
                io,
                identities: Identities::new(names, trusted, settings.connect),
                permits: Permits::new(limits),
                settings,
                clock,
            }),
        }
    }

    /// Requests under way, bodies included.
    pub fn in_flight(&self) -> usize {
        self.shared.permits.in_use()
    }
}

impl Shared {
    /// A number that differs from moment to moment, to keep retries of many from falling together.
    pub(crate) fn noise(&self) -> u64 {
        self.clock.now().0.unsigned_abs()
    }
}

#[async_trait]
impl Upstream for Client {
    async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let shared = Arc::clone(&self.shared);
        let io = shared.io.clone();
        io.enter(attempt::run(shared, request)).await
    }
}
