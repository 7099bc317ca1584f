//! A server that is killed, stopped, slow or emptied.

use std::time::Duration;

use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::port::hot::Hot as _;
use artifactapi_io::Io;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::server::{Server, free_port};
use super::*;
use crate::hot::redis::cmd;

fn open(server: &Server) -> Redis {
    Redis::open(&settings(&server.url()), &Io::start().unwrap()).unwrap()
}

/// Every kind of call; all fail.
async fn nothing_works(hot: &Redis) {
    let calls = async {
        assert_eq!(kind(hot.get("a").await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.set("a", vec![1], LIMIT).await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.delete("a").await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.acquire("l", "one", LIMIT).await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.release("l", "one").await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.publish("news", vec![1]).await), Kind::StoreUnavailable);
        assert_eq!(kind(hot.check().await), Kind::StoreUnavailable);
        let fault = hot.get("a").await.unwrap_err();
        assert!(matches!(fault.retry, Retry::After(_)), "{fault:?}");
    };
    timeout(LIMIT, calls).await.expect("no call hangs");
}

#[tokio::test]
async fn a_server_that_is_away_at_first_is_used_once_it_is_there() {
    let hot = Redis::open(
        &settings(&format!("redis://127.0.0.1:{}", free_port())),
        &Io::start().unwrap(),
    );
    nothing_works(&hot.unwrap()).await;
    let mut server = Server::start().await;
    server.kill();
    let hot = open(&server);
    nothing_works(&hot).await;
    server.restart().await;
    until_it_works(&hot).await;
    hot.check().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_costs_its_values_and_nothing_else() {
    let mut server = Server::start().await;
    let hot = open(&server);
    until_it_works(&hot).await;
    hot.set("a", vec![1], LIMIT).await.unwrap();
    server.kill();
    nothing_works(&hot).await;
    server.restart().await;
    until_it_works(&hot).await;
    assert_eq!(hot.get("a").await.unwrap(), None);
    assert!(hot.acquire("l", "one", LIMIT).await.unwrap());
    hot.release("l", "one").await.unwrap();
}

#[tokio::test]
async fn a_restart_that_nobody_noticed_is_no_failure() {
    let mut server = Server::start().await;
    let hot = Redis::open(&patient(&server.url()), &Io::start().unwrap()).unwrap();
    join_all((0..8).map(|_| hot.check())).await;
    server.restart().await;
    for _ in 0..20 {
        hot.check().await.unwrap();
    }
}

#[tokio::test]
async fn a_stopped_server_is_waited_for_once_and_then_left_alone() {
    let server = Server::start().await;
    let hot = open(&server);
    until_it_works(&hot).await;
    server.stop();
    // Without the circuit these would take a quarter of a second each.
    let calls = async {
        for _ in 0..2_000 {
            assert_eq!(kind(hot.get("a").await), Kind::StoreUnavailable);
        }
        nothing_works(&hot).await;
    };
    timeout(LIMIT, calls).await.expect("most calls fail at once");
    server.go_on();
    until_it_works(&hot).await;
}

#[tokio::test]
async fn health_sees_a_server_that_is_back_while_calls_still_leave_it_alone() {
    let mut server = Server::start().await;
    let hot = Redis::open(&patient(&server.url()), &Io::start().unwrap()).unwrap();
    server.kill();
    assert_eq!(kind(hot.check().await), Kind::StoreUnavailable);
    server.restart().await;
    hot.check().await.unwrap();
    assert_eq!(
        hot.get("a").await.unwrap(),
        None,
        "what health saw is known to all"
    );
}

#[tokio::test]
async fn an_emptied_server_has_neither_values_nor_leases() {
    let server = Server::start().await;
    let hot = Redis::open(&patient(&server.url()), &Io::start().unwrap()).unwrap();
    hot.set("a", vec![1], LIMIT).await.unwrap();
    assert!(hot.acquire("l", "one", LIMIT).await.unwrap());
    for command in ["FLUSHALL", "SCRIPT FLUSH"] {
        let mut words = command.split(' ');
        let mut flush = cmd(words.next().unwrap());
        let () = hot.call(flush.arg(words.collect::<Vec<_>>())).await.unwrap();
    }
    assert_eq!(hot.get("a").await.unwrap(), None);
    assert!(hot.acquire("l", "two", LIMIT).await.unwrap());
    hot.release("l", "one").await.unwrap();
    assert!(!hot.acquire("l", "one", LIMIT).await.unwrap());
}

#[tokio::test]
async fn a_sleeping_server_answers_nobody_with_what_another_asked_for() {
    let server = Server::start().await;
    let url = server.url();
    let hot = Redis::open(
        &config::Redis {
            connections: 2,
            ..settings(&url)
        },
        &Io::start().unwrap(),
    )
    .unwrap();
    let keys: Vec<String> = (0..50).map(|n| format!("key {n}")).collect();
    until_it_works(&hot).await;
    for key in &keys {
        until_it_works(&hot).await;
        hot.set(key, key.clone().into_bytes(), Duration::from_mins(10))
            .await
            .unwrap();
    }
    let sleeper = Redis::open(&patient(&url), &Io::start().unwrap()).unwrap();
    let mut sleep = cmd("DEBUG");
    sleep.arg("SLEEP").arg("0.6");
    let asks = join_all(keys.iter().map(|key| hot.get(key)));
    let (slept, asked) = tokio::join!(sleeper.call::<()>(&sleep), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        asks.await
    });
    slept.unwrap();
    assert!(asked.iter().any(Result::is_err), "the server was asleep");
    for _ in 0..3 {
        until_it_works(&hot).await;
        for (key, got) in keys
            .iter()
            .zip(join_all(keys.iter().map(|key| hot.get(key))).await)
        {
            // A busy machine may be too slow for a call; what is answered is right.
            assert!(
                got.is_err() || got.unwrap() == Some(key.clone().into_bytes()),
                "{key}"
            );
        }
    }
}
