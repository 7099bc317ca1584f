//! Gauges: how things stand at this moment, for metrics.

use artifactapi_actors::handles::WorkerStatus;
use artifactapi_core::breaker::State;
use artifactapi_core::port::Result;
use artifactapi_core::port::catalog::Usage;

use super::Admin;

/// How things stand.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Version of the program.
    pub version: &'static str,
    /// Fetches from upstreams under way.
    pub flights: usize,
    /// Rows that the access log lost.
    pub log_dropped: u64,
    /// Each repository, by name.
    pub repositories: Vec<RepositoryGauges>,
    /// Each worker.
    pub workers: Vec<WorkerStatus>,
}

/// How a repository stands.
#[derive(Clone, Debug)]
pub struct RepositoryGauges {
    /// Its name.
    pub name: String,
    /// Its circuit breaker: 0 closed, 1 half open, 2 open; `None` for a local.
    pub breaker: Option<u8>,
    /// What it holds.
    pub usage: Usage,
}

impl Admin {
    /// How everything stands now.
    pub async fn gauges(&self) -> Result<Gauges> {
        let parts = &self.parts;
        let mut repositories = Vec::new();
        for repository in parts.catalog.repositories().await? {
            let state = || match parts.handles.breakers.state(repository.id) {
                State::Closed => 0,
                State::HalfOpen => 1,
                State::Open => 2,
            };
            repositories.push(RepositoryGauges {
                breaker: repository.remote().map(|_| state()),
                usage: parts.catalog.usage(repository.id).await?,
                name: repository.name,
            });
        }
        Ok(Gauges {
            version: parts.version,
            flights: parts.handles.flights.in_flight(),
            log_dropped: parts.handles.log.dropped(),
            repositories,
            workers: parts.handles.board.workers(),
        })
    }
}
