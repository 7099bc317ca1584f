//! Peers: breakers of the same remote in other replicas. They are told of every change, and a breaker that begins asks
//! what they know. Hints only: where nothing is to be had, it begins closed.

use std::sync::Arc;

use artifactapi_core::breaker::{Breaker, State};
use artifactapi_core::port::hot::Hot;
use artifactapi_core::{Clock, RepoId, Time};
use serde::{Deserialize, Serialize};

use crate::inbox::Slot;

/// Where a breaker stands, as replicas tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Whose.
    pub(crate) repo: RepoId,
    /// Where it stands.
    pub(crate) state: State,
    /// Until when nobody else should ask upstream.
    pub(crate) until: Time,
}

impl Notice {
    pub(super) fn new(repo: RepoId, state: State, breaker: &Breaker, now: Time) -> Self {
        Self {
            repo,
            state,
            until: breaker.held_until(now).unwrap_or(now),
        }
    }

    /// Where the latest notice is kept while it holds, for replicas that begin.
    pub(crate) fn key(repo: RepoId) -> String {
        format!("breaker/{repo}")
    }
}

/// The way to other replicas.
#[derive(Clone)]
pub(crate) struct Peers {
    hot: Arc<dyn Hot>,
    /// `None` where there are no others.
    notices: Option<Slot<Notice>>,
}

impl Peers {
    pub(crate) fn new(hot: Arc<dyn Hot>, notices: Slot<Notice>) -> Self {
        let notices = hot.is_shared().then_some(notices);
        Self { hot, notices }
    }

    /// Tells the others. Never blocks.
    pub(super) fn tell(&self, notice: Notice) {
        if let Some(notices) = &self.notices {
            notices.put(notice);
        }
    }

    /// A breaker that knows what the others know of this remote.
    pub(super) async fn breaker(&self, repo: RepoId, clock: &dyn Clock) -> Breaker {
        let mut breaker = Breaker::new();
        if self.notices.is_none() {
            return breaker;
        }
        let known = self.hot.get(&Notice::key(repo)).await.ok().flatten();
        if let Some(notice) = known.and_then(|bytes| serde_json::from_slice::<Notice>(&bytes).ok()) {
            breaker.adopt(notice.state, notice.until, clock.now());
        }
        breaker
    }
}
