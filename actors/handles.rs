//! Handles: the façades of all workers in one place, given to whoever needs to ask one of them something.

pub use crate::access_log::AccessLog;
pub use crate::board::{Board, WorkerState, WorkerStatus};
pub use crate::breakers::Breakers;
pub use crate::coordinator::Flights;
pub use crate::events::{Events, Filter, Told, Watch};
pub use crate::gc::{Evicted, Gc, GcReport, GcRequest, GcSettings, Listing};
pub use crate::replicas::{Renewal, Replicas};

/// The ways to every worker. Cheap to clone; they outlive restarts.
#[derive(Clone)]
pub struct Handles {
    /// Flights in the air.
    pub flights: Flights,
    /// Circuit breakers.
    pub breakers: Breakers,
    /// Events and their watchers.
    pub events: Events,
    /// The access log.
    pub log: AccessLog,
    /// The collector.
    pub gc: Gc,
    /// Other replicas.
    pub replicas: Replicas,
    /// Reports of all workers.
    pub board: Board,
}

#[cfg(any(test, feature = "failpoints"))]
impl Handles {
    /// Makes a worker panic over a message; `false` if the board has none of this name. Gives its answer when the
    /// panic has happened.
    pub async fn crash(&self, worker: &str) -> bool {
        self.board.crash(worker).await
    }
}
