//! Administration: repositories, their objects, statistics, health, probe and collection, as the admin API has them.
//!
//! Nothing here knows HTTP: documents come in as JSON values and go out as the types of `artifactapi_api`. Whether
//! the caller may do it has been decided before.

mod evict;
mod gauges;
mod gc;
mod health;
mod objects;
mod probe;
mod refused;
mod repositories;
mod roles;
mod secrets;
mod stats;

use std::sync::Arc;

use artifactapi_actors::handles::Handles;
use artifactapi_core::Entry;
use artifactapi_core::clock::Clock;
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Fault;
use artifactapi_core::port::Result;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::port::upstream::Upstream;
use artifactapi_core::repository::{RepoId, Repository};
use async_trait::async_trait;

pub use gauges::{Gauges, RepositoryGauges};
pub use refused::Refused;
pub use repositories::{Change, etag};
pub use roles::Stored;

/// Who must be told of a change before it is answered: the engine, whose memory would otherwise be out of date.
#[async_trait]
pub trait Changes: Send + Sync + 'static {
    /// Repositories were created, changed or deleted.
    async fn reload(&self) -> Result<()>;

    /// These entries are gone.
    fn evicted(&self, entries: &[Entry]);

    /// Everything that this repository held is gone.
    fn emptied(&self, repo: RepoId);
}

/// What administration works on.
pub struct Parts {
    /// The truth.
    pub catalog: Arc<dyn Catalog>,
    /// The bytes.
    pub blobs: Arc<dyn Blobs>,
    /// The hints.
    pub hot: Arc<dyn Hot>,
    /// The way to strangers, for probes.
    pub upstream: Arc<dyn Upstream>,
    /// The workers.
    pub handles: Handles,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The engine.
    pub changes: Arc<dyn Changes>,
    /// Version of the program, for health.
    pub version: &'static str,
}

/// The operations.
pub struct Admin {
    parts: Parts,
    checked: health::Checked,
}

impl Admin {
    /// Administration over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            checked: health::Checked::default(),
        }
    }

    /// The workers, for the stream of events and for metrics.
    pub fn handles(&self) -> &Handles {
        &self.parts.handles
    }

    /// The repository of this name and kind.
    async fn find<S: Stored>(&self, name: &str) -> Result<Repository> {
        let all = self.parts.catalog.repositories().await?;
        all.into_iter()
            .find(|repository| repository.name == name && S::of(repository).is_some())
            .ok_or_else(|| Fault::not_found(format!("no {} of this name", S::KIND)))
    }

    /// Tells watchers.
    fn tell(&self, event: Event) {
        self.parts.handles.events.tell(event);
    }

    /// An event of this moment about a repository as a whole.
    fn event(&self, kind: EventKind, repository: &str, outcome: &str) -> Event {
        Event {
            kind,
            remote: Some(repository.to_owned()),
            path: None,
            at: self.parts.clock.now(),
            outcome: outcome.to_owned(),
            bytes: None,
        }
    }
}
