//! Server-Sent Events: what a watcher is told, in the stream's form.

use std::convert::Infallible;
use std::time::Duration;

use artifactapi_actors::handles::{Told, Watch};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::state::Phase;

/// How often a comment is sent, so that both ends notice a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Sent at once, so that the client sees the head; also says how soon to come again.
const OPENING: &str = ": artifactapi\nretry: 2000\n\n";
/// The comment.
const BEAT: &str = ": beat\n\n";

/// The stream of a watcher. It ends when the watch does, or when the server stops; clients then come again.
pub(crate) fn stream(
    watch: Watch,
    phase: watch::Receiver<Phase>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let opening = stream::once(async { Ok(Bytes::from_static(OPENING.as_bytes())) });
    let source = Source {
        watch,
        phase,
        heartbeat,
    };
    opening.chain(stream::unfold(source, |mut source| async move {
        let message = source.next().await?;
        Some((Ok(message), source))
    }))
}

struct Source {
    watch: Watch,
    phase: watch::Receiver<Phase>,
    heartbeat: Interval,
}

impl Source {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            told = self.watch.next() => told.as_ref().map(message),
            _ = self.heartbeat.tick() => Some(Bytes::from_static(BEAT.as_bytes())),
            _ = self.phase.wait_for(|phase| *phase == Phase::Stopping) => None,
        }
    }
}

/// One message. The data is one line of JSON, so it needs no folding.
fn message(told: &Told) -> Bytes {
    format!("id: {}\nevent: {}\ndata: {}\n\n", told.id, told.name, told.data).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_id_event_and_data() {
        let told = Told {
            id: 7,
            name: "fetch",
            data: r#"{"kind":"fetch"}"#.into(),
        };
        assert_eq!(
            message(&told),
            "id: 7\nevent: fetch\ndata: {\"kind\":\"fetch\"}\n\n"
        );
    }
}
