//! The board on which every kept worker reports itself, read by health, web page and terminal.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// Gives how much waits for a worker at this moment.
pub(crate) type Gauge = Box<dyn Fn() -> usize + Send + Sync>;

/// What a worker does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It works.
    Running,
    /// It panicked and waits for its next start.
    Restarting,
    /// It panicked too often; the process is about to end.
    GaveUp,
}

impl WorkerState {
    /// Its name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::GaveUp => "gave_up",
        }
    }
}

/// A worker's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Its name, unique.
    pub name: String,
    /// What sort of worker it is.
    pub kind: &'static str,
    /// What it does now.
    pub state: WorkerState,
    /// How often it was started again.
    pub restarts: u64,
    /// The text of its latest panic.
    pub last_error: Option<String>,
    /// How much waits for it.
    pub queue: u64,
}

/// The reports of all kept workers, in the order of their start.
#[derive(Clone, Default)]
pub struct Board(Arc<RwLock<Vec<Arc<Worker>>>>);

impl Board {
    /// Every worker's report.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        let workers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        workers.iter().map(|worker| worker.status()).collect()
    }

    /// Adds a worker.
    pub(crate) fn enrol(&self, name: String, kind: &'static str, queue: Gauge) -> Arc<Worker> {
        let worker = Arc::new(Worker {
            name,
            kind,
            queue,
            #[cfg(any(test, feature = "failpoints"))]
            crash: std::sync::OnceLock::new(),
            life: Mutex::new(Life {
                state: WorkerState::Running,
                restarts: 0,
                last_error: None,
            }),
        });
        let mut workers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        workers.push(Arc::clone(&worker));
        worker
    }

    /// Makes a worker panic; `false` if there is none of this name.
    #[cfg(any(test, feature = "failpoints"))]
    pub(crate) async fn crash(&self, name: &str) -> bool {
        let crash = self.named(name).and_then(|worker| worker.crash.get()?.upgrade());
        let Some(crash) = crash else { return false };
        // The answer is an error: the handler panicked.
        crash.send(crate::failpoints::Crash).await.is_err()
    }

    #[cfg(any(test, feature = "failpoints"))]
    fn named(&self, name: &str) -> Option<Arc<Worker>> {
        let workers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        workers.iter().find(|worker| worker.name == name).cloned()
    }

    /// Removes a worker that retired.
    pub(crate) fn strike(&self, worker: &Arc<Worker>) {
        let mut workers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|other| !Arc::ptr_eq(other, worker));
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.workers()).finish()
    }
}

/// A worker's line on the board, written by its keeper.
pub(crate) struct Worker {
    name: String,
    kind: &'static str,
    queue: Gauge,
    #[cfg(any(test, feature = "failpoints"))]
    pub(crate) crash: std::sync::OnceLock<actix::WeakRecipient<crate::failpoints::Crash>>,
    life: Mutex<Life>,
}

struct Life {
    state: WorkerState,
    restarts: u64,
    last_error: Option<String>,
}

impl Worker {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It panicked.
    pub(crate) fn crashed(&self, error: String, state: WorkerState) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.state = state;
        life.last_error = Some(error);
    }

    /// It works again.
    pub(crate) fn restarted(&self) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.state = WorkerState::Running;
        life.restarts += 1;
    }

    fn status(&self) -> WorkerStatus {
        let queue = (self.queue)() as u64;
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        WorkerStatus {
            name: self.name.clone(),
            kind: self.kind,
            state: life.state,
            restarts: life.restarts,
            last_error: life.last_error.clone(),
            queue,
        }
    }
}
