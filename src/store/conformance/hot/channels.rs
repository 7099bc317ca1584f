//! Cases of the suite: channels.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::port::hot::{Heard, Hearing, Hot};
use futures_util::StreamExt as _;
use futures_util::future::join_all;

/// No case takes this long where a store works.
const LIMIT: Duration = Duration::from_secs(20);

/// More messages than any store may keep for a listener.
const FLOOD: usize = 5_000;

super::super::cases! { Hot;
    a_listener_hears_what_is_published_from_then_on_in_order,
    any_bytes_are_a_message,
    channels_are_apart_and_compared_by_bytes,
    nobody_listening_is_no_failure,
    all_listeners_hear_all,
    of_many_who_publish_at_once_all_are_heard,
    one_who_does_not_read_gets_a_gap_and_then_what_comes,
    one_who_has_left_holds_nobody_up,
}

/// What is heard next.
pub(super) async fn next(hearing: &mut Hearing) -> Heard {
    let next = tokio::time::timeout(LIMIT, hearing.next()).await;
    next.unwrap().unwrap()
}

pub(super) fn message(text: impl AsRef<[u8]>) -> Heard {
    Heard::Message(text.as_ref().to_vec())
}

async fn publish(store: &impl Hot, channel: &str, text: impl AsRef<[u8]>) {
    store.publish(channel, text.as_ref().to_vec()).await.unwrap();
}

async fn a_listener_hears_what_is_published_from_then_on_in_order(store: Arc<impl Hot>) {
    publish(&*store, "news", "before").await;
    let mut hearing = store.listen("news").await.unwrap();
    for n in 0..200 {
        publish(&*store, "news", n.to_string()).await;
    }
    for n in 0..200 {
        assert_eq!(next(&mut hearing).await, message(n.to_string()));
    }
}

async fn any_bytes_are_a_message(store: Arc<impl Hot>) {
    let mut hearing = store.listen("news").await.unwrap();
    let (every, long): (Vec<u8>, _) = ((0..=255).collect(), vec![7; 100_000]);
    for text in [&every[..], b"", b"pong", b"\r\n$4\r\n", &long] {
        publish(&*store, "news", text).await;
        assert_eq!(next(&mut hearing).await, message(text));
    }
}

async fn channels_are_apart_and_compared_by_bytes(store: Arc<impl Hot>) {
    let names = ["a", "A", "ä", "a b\n", "", "*", "a?", "[a]"];
    let listens = names.map(|name| store.listen(name));
    let listened = join_all(listens).await;
    for name in names {
        publish(&*store, name, format!("of {name}")).await;
        publish(&*store, name, "end").await;
    }
    for (name, hearing) in names.into_iter().zip(listened) {
        let mut hearing = hearing.unwrap();
        assert_eq!(next(&mut hearing).await, message(format!("of {name}")));
        assert_eq!(next(&mut hearing).await, message("end"), "{name:?}");
    }
}

async fn nobody_listening_is_no_failure(store: Arc<impl Hot>) {
    publish(&*store, "news", "lost").await;
    assert_eq!(store.get("news").await.unwrap(), None);
    let mut hearing = store.listen("news").await.unwrap();
    publish(&*store, "news", "heard").await;
    assert_eq!(next(&mut hearing).await, message("heard"));
}

async fn all_listeners_hear_all(store: Arc<impl Hot>) {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(store.listen("news").await.unwrap());
    }
    publish(&*store, "news", "one").await;
    publish(&*store, "news", "two").await;
    for hearing in &mut listeners {
        assert_eq!(next(hearing).await, message("one"));
        assert_eq!(next(hearing).await, message("two"));
    }
}

async fn of_many_who_publish_at_once_all_are_heard(store: Arc<impl Hot>) {
    let mut hearing = store.listen("news").await.unwrap();
    join_all((0..100_u8).map(|n| publish(&*store, "news", [n]))).await;
    let mut heard = Vec::new();
    while heard.len() < 100 {
        match next(&mut hearing).await {
            Heard::Message(text) => heard.extend(text),
            Heard::Gap => panic!("nothing was missed"),
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..100).collect::<Vec<u8>>());
}

async fn one_who_does_not_read_gets_a_gap_and_then_what_comes(store: Arc<impl Hot>) {
    let mut asleep = store.listen("news").await.unwrap();
    let mut awake = store.listen("news").await.unwrap();
    for n in 0..FLOOD {
        publish(&*store, "news", n.to_string()).await;
        assert_eq!(next(&mut awake).await, message(n.to_string()));
    }
    publish(&*store, "news", "end").await;
    let (mut gaps, mut messages) = (0, 0);
    loop {
        match next(&mut asleep).await {
            Heard::Gap => gaps += 1,
            end if end == message("end") => break,
            Heard::Message(_) => messages += 1,
        }
    }
    assert!(gaps > 0, "{messages} of {FLOOD} and no gap");
    assert!(messages < FLOOD, "all were kept");
}

async fn one_who_has_left_holds_nobody_up(store: Arc<impl Hot>) {
    let mut stays = store.listen("news").await.unwrap();
    for n in 0..20_u8 {
        drop(store.listen("news").await.unwrap());
        publish(&*store, "news", [n]).await;
        assert_eq!(next(&mut stays).await, message([n]));
    }
    drop(stays);
    publish(&*store, "news", "to nobody").await;
    let mut hearing = store.listen("news").await.unwrap();
    publish(&*store, "news", "heard").await;
    assert_eq!(next(&mut hearing).await, message("heard"));
}
