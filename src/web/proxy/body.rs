//! Request bodies on their way to the engine: from a payload that is bound to its worker to a stream that is not.

use std::time::Duration;

use actix_web::web::Payload;
use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::{ByteStream, Result};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

/// Chunks between socket and engine; the socket waits when the engine is slower.
const DEPTH: usize = 8;

/// Limits on how slowly a body may arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Longest silence.
    pub(crate) idle: Duration,
    /// Least bytes per window, so that a drip does not hold a worker's buffers for ever.
    pub(crate) bytes: u64,
    /// The window.
    pub(crate) window: Duration,
}

/// A stream for the engine, and the pump that must be polled beside it.
pub(crate) fn bridge(payload: Payload, pace: Pace) -> (ByteStream, impl Future<Output = ()>) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let stream = stream::unfold(receiver, |mut receiver| async move {
        let item: Option<Result<Bytes>> = receiver.recv().await;
        item.map(|item| (item, receiver))
    });
    (Box::pin(stream), pump(payload, pace, sender))
}

async fn pump(mut payload: Payload, pace: Pace, sender: mpsc::Sender<Result<Bytes>>) {
    let mut window = Window::new(pace);
    loop {
        let item = match tokio::time::timeout(pace.idle, payload.next()).await {
            Err(_) => Err(Fault::client(Kind::RequestTimeout, "the body stopped arriving")),
            Ok(None) => return,
            Ok(Some(Err(error))) => Err(Fault::client(Kind::BadRequest, "the body broke off").because(error)),
            Ok(Some(Ok(chunk))) => window.take(chunk),
        };
        let failed = item.is_err();
        if sender.send(item).await.is_err() || failed {
            return;
        }
    }
}

struct Window {
    pace: Pace,
    ends: tokio::time::Instant,
    bytes: u64,
}

impl Window {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            ends: tokio::time::Instant::now() + pace.window,
            bytes: 0,
        }
    }

    fn take(&mut self, chunk: Bytes) -> Result<Bytes> {
        self.bytes += chunk.len() as u64;
        let now = tokio::time::Instant::now();
        if now >= self.ends {
            if self.bytes < self.pace.bytes {
                return Err(Fault::client(Kind::RequestTimeout, "the body arrives too slowly"));
            }
            *self = Self::new(self.pace);
        }
        Ok(chunk)
    }
}
