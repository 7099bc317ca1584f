//! One connection that listens to one channel, and is made anew whenever it is lost.

use std::pin::pin;
use std::time::Duration;

use artifactapi_core::port::hot::Heard;
use deadpool_redis::redis::aio::{PubSub, PubSubSink, PubSubStream};
use deadpool_redis::redis::{Client, RedisResult, Value};
use futures_util::StreamExt as _;
use futures_util::future::select;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{Instant, sleep, timeout};

/// Between two attempts to connect: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// For one attempt to connect and subscribe.
const CONNECT: Duration = Duration::from_secs(2);

/// Between two questions whether the server is still there. It is also the answer's limit.
const PULSE: Duration = Duration::from_secs(2);

/// What listens in the background, until its future is dropped.
pub(super) struct Listener {
    pub(super) client: Client,
    pub(super) channel: Vec<u8>,
    /// A server that takes longer than this has had messages that their senders gave up on: a gap.
    pub(super) wait: Duration,
    pub(super) told: broadcast::Sender<Heard>,
}

impl Listener {
    /// Listens without end. `subscribed` is told of a first attempt that succeeds; where it is no longer awaited, or
    /// is not the first, a gap comes before the messages.
    pub(super) async fn run(self, subscribed: oneshot::Sender<()>) {
        let mut subscribed = Some(subscribed);
        let mut pause = PAUSES.0;
        loop {
            let attempt = timeout(CONNECT.max(self.wait), self.subscribe()).await;
            let first = subscribed.take();
            match attempt {
                Ok(Ok(connection)) => {
                    // The receiver is dropped before `listen` returns without it: then this is not sent.
                    if first.is_none_or(|first| first.send(()).is_err()) {
                        log::info!("listening to redis again");
                        self.tell(Heard::Gap);
                    }
                    let since = Instant::now();
                    self.hear(connection).await;
                    log::warn!("redis cut off a listener, or is silent; connecting anew");
                    if since.elapsed() > PAUSES.1 {
                        pause = PAUSES.0;
                    }
                }
                Ok(Err(error)) => log::debug!(error:%; "redis takes no listener"),
                Err(_) => log::debug!("redis takes no listener in time"),
            }
            sleep(pause).await;
            pause = PAUSES.1.min(pause * 2);
        }
    }

    async fn subscribe(&self) -> RedisResult<PubSub> {
        let mut connection = self.client.get_async_pubsub().await?;
        connection.subscribe(self.channel.as_slice()).await?;
        Ok(connection)
    }

    /// Passes messages on until the connection is lost.
    async fn hear(&self, connection: PubSub) {
        let (sink, messages) = connection.split();
        select(pin!(self.pulse(sink)), pin!(self.relay(messages))).await;
    }

    /// Messages are taken off the connection at once, whether anybody reads them or not: the server must not have to
    /// keep them, nor may they pile up here.
    async fn relay(&self, mut messages: PubSubStream) {
        while let Some(message) = messages.next().await {
            self.tell(Heard::Message(message.get_payload_bytes().to_vec()));
        }
    }

    /// Asks again and again whether the server is there; ends when it is not. A peer that vanished without a word, or
    /// was stopped, would be waited for without end.
    async fn pulse(&self, mut sink: PubSubSink) {
        loop {
            sleep(PULSE).await;
            let asked = Instant::now();
            match timeout(PULSE, sink.ping::<Value>()).await {
                Ok(Ok(_)) if asked.elapsed() <= self.wait => {}
                Ok(Ok(_)) => self.tell(Heard::Gap),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    fn tell(&self, heard: Heard) {
        // Without a receiver the whole listener is about to be dropped.
        self.told.send(heard).ok();
    }
}
