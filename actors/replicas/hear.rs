//! Hearing: what other replicas tell. Own letters are passed over; one that cannot be read counts as missed.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::port::hot::Heard;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::{BREAKER, CHANGED, EVENTS, Letter, News, Tools};
use crate::breakers::Notice;

/// How soon listening is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The catalog was changed by others: what is in memory is old.
pub(super) async fn changes(tools: Arc<Tools>, resumed: bool) {
    listen::<()>(&tools, CHANGED, resumed, |_| tools.signals.stale.notify_one()).await;
}

/// Events of others are told here too.
pub(super) async fn events(tools: Arc<Tools>, resumed: bool) {
    listen(&tools, EVENTS, resumed, |news: Option<News>| match news {
        Some(news) => {
            if news.lost > 0 {
                tools.events.missed();
            }
            news.events.into_iter().for_each(|event| tools.events.hear(event));
        }
        None => tools.events.missed(),
    })
    .await;
}

/// What others found out about an upstream holds here too. A missed notice costs a few requests.
pub(super) async fn notices(tools: Arc<Tools>, resumed: bool) {
    listen(&tools, BREAKER, resumed, |notice: Option<Notice>| {
        if let Some(notice) = notice {
            tools.breakers.hear(notice);
        }
    })
    .await;
}

/// Hands on what others write on a channel, without end; `None` where something may have been missed.
async fn listen<T: DeserializeOwned>(
    tools: &Tools,
    channel: &str,
    mut missed: bool,
    mut take: impl FnMut(Option<T>),
) {
    loop {
        match tools.hot.listen(channel).await {
            Ok(mut hearing) => {
                if missed {
                    take(None);
                }
                while let Some(heard) = hearing.next().await {
                    hand_on(&tools.replica, heard, &mut take);
                }
            }
            Err(fault) => log::debug!(channel = channel; "other replicas cannot be heard: {fault:?}"),
        }
        missed = true;
        sleep(AGAIN).await;
    }
}

fn hand_on<T: DeserializeOwned>(replica: &str, heard: Heard, take: &mut impl FnMut(Option<T>)) {
    let Heard::Message(bytes) = heard else {
        return take(None);
    };
    match serde_json::from_slice::<Letter<T>>(&bytes) {
        Ok(letter) if letter.replica == replica => {}
        Ok(letter) => take(Some(letter.body)),
        Err(error) => {
            log::debug!("a replica of another version wrote something that cannot be read: {error}");
            take(None);
        }
    }
}
