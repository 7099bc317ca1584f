//! Posting: what this process tells the others, one letter at a time, so that a slow store of hints holds up nobody but
//! this.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::{Fault, breaker::State};
use serde::Serialize;
use tokio::time::timeout;

use super::{BREAKER, CHANGED, EVENTS, Letter, News, Tools};
use crate::breakers::Notice;

/// Most events in one letter.
const BATCH: usize = 64;
/// How soon lost events are owned up to again, if no other event gives a reason to write.
const AGAIN: Duration = Duration::from_secs(1);

impl Tools {
    async fn publish<T: Serialize>(&self, channel: &str, body: T) -> Result<(), Fault> {
        let letter = Letter {
            replica: self.replica.clone(),
            body,
        };
        // A letter is made of words and numbers; that it cannot be written is impossible.
        let Ok(bytes) = serde_json::to_vec(&letter) else {
            return Ok(());
        };
        let published = self.hot.publish(channel, bytes).await;
        published
            .inspect_err(|fault| log::debug!(channel = channel; "other replicas are not told: {fault:?}"))
    }
}

/// Says that the catalog was changed. Who does not hear it sees the epoch.
pub(super) async fn changes(tools: Arc<Tools>, _: bool) {
    loop {
        tools.signals.changed.notified().await;
        tools.publish(CHANGED, ()).await.ok();
    }
}

/// Tells of own events. Those that could not be told are counted in the next letter.
pub(super) async fn events(tools: Arc<Tools>, resumed: bool) {
    let mut lost = u64::from(resumed);
    loop {
        let limit = if lost > 0 { AGAIN } else { Duration::MAX };
        let mut events = match timeout(limit, tools.outgoing.next()).await {
            Ok(Some(event)) => vec![event],
            Ok(None) => return,
            Err(_time_to_own_up) => Vec::new(),
        };
        while events.len() < BATCH
            && let Some(event) = tools.outgoing.take()
        {
            events.push(event);
        }
        lost = lost.saturating_add(tools.outgoing.dropped());
        let count = events.len() as u64;
        lost = match tools.publish(EVENTS, News { lost, events }).await {
            Ok(()) => 0,
            Err(_logged) => lost.saturating_add(count),
        };
    }
}

/// Tells of breakers that changed, and keeps where they stand for replicas that begin.
pub(super) async fn notices(tools: Arc<Tools>, _: bool) {
    while let Some(notice) = tools.notices.next().await {
        if let Err(fault) = keep(&tools, &notice).await {
            log::debug!("where a breaker stands is not kept: {fault:?}");
        }
        tools.publish(BREAKER, notice).await.ok();
    }
}

async fn keep(tools: &Tools, notice: &Notice) -> Result<(), Fault> {
    let key = Notice::key(notice.repo);
    let rest = notice.until.since(tools.clock.now());
    if notice.state == State::Closed || rest.is_zero() {
        return tools.hot.delete(&key).await;
    }
    let bytes = serde_json::to_vec(notice).unwrap_or_default();
    tools.hot.set(&key, bytes, rest).await
}
