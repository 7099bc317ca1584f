//! Listeners while their server comes and goes.

use std::time::Duration;

use artifactapi_core::port::hot::Hot as _;
use tokio::time::{sleep, timeout};

use super::server::Server;
use super::*;
use crate::hot::redis::cmd;

fn open(server: &Server) -> Redis {
    Redis::open(&settings(&server.url()), &Io::start().unwrap()).unwrap()
}

/// Publishes until it succeeds, then hears it, and gaps perhaps before.
async fn hears_again(hot: &Redis, hearing: &mut Hearing) {
    let published = async {
        while hot.publish("news", b"again".to_vec()).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, published).await.unwrap();
    loop {
        match next(hearing).await {
            Heard::Message(text) => return assert_eq!(text, b"again"),
            Heard::Gap => {}
        }
    }
}

/// How many listen to the channel, by the server's word.
async fn listeners(hot: &Redis) -> u64 {
    let mut count = cmd("PUBSUB");
    count.arg("NUMSUB").arg(hot.name("channel:", "news"));
    let (_, count): (Vec<u8>, u64) = hot.ask(&count).await.unwrap();
    count
}

#[tokio::test]
async fn a_restart_of_the_server_is_heard_as_a_gap_and_then_what_comes() {
    let mut server = Server::start().await;
    let hot = open(&server);
    let mut hearing = hot.listen("news").await.unwrap();
    hears_again(&hot, &mut hearing).await;
    for _ in 0..2 {
        server.kill();
        sleep(Duration::from_millis(300)).await;
        server.restart().await;
        assert_eq!(next(&mut hearing).await, Heard::Gap);
        hears_again(&hot, &mut hearing).await;
    }
}

#[tokio::test]
async fn a_listener_without_a_server_begins_with_a_gap_once_there_is_one() {
    let mut server = Server::start().await;
    server.kill();
    let hot = open(&server);
    let listening = timeout(LIMIT, hot.listen("news")).await;
    let mut hearing = listening.expect("a start needs no server").unwrap();
    server.restart().await;
    assert_eq!(next(&mut hearing).await, Heard::Gap);
    hears_again(&hot, &mut hearing).await;
}

#[tokio::test]
async fn a_listener_whose_subscription_comes_late_begins_with_a_gap() {
    let server = Server::start().await;
    let hot = open(&server);
    server.stop();
    let mut hearing = timeout(LIMIT, hot.listen("news")).await.unwrap().unwrap();
    server.go_on();
    assert_eq!(next(&mut hearing).await, Heard::Gap);
    hears_again(&hot, &mut hearing).await;
}

#[tokio::test]
async fn a_server_that_was_stopped_is_heard_as_a_gap_whether_it_was_short_or_long() {
    let server = Server::start().await;
    let hot = open(&server);
    let mut hearing = hot.listen("news").await.unwrap();
    // Longer than from one question to the next, and longer than its answer is waited for as well.
    for stopped in [3_000, 6_000] {
        server.stop();
        sleep(Duration::from_millis(stopped)).await;
        server.go_on();
        assert_eq!(next(&mut hearing).await, Heard::Gap);
        hears_again(&hot, &mut hearing).await;
    }
}

#[tokio::test]
async fn a_listener_that_the_server_cuts_off_comes_back() {
    let server = Server::start().await;
    let hot = open(&server);
    let mut hearing = hot.listen("news").await.unwrap();
    until_it_works(&hot).await;
    let mut kill = cmd("CLIENT");
    let cut: u64 = hot.ask(kill.arg("KILL").arg("TYPE").arg("pubsub")).await.unwrap();
    assert_eq!(cut, 1);
    assert_eq!(next(&mut hearing).await, Heard::Gap);
    hears_again(&hot, &mut hearing).await;
}

#[tokio::test]
async fn a_listener_that_is_dropped_leaves_no_connection() {
    let server = Server::start().await;
    let hot = Redis::open(&patient(&server.url()), &Io::start().unwrap()).unwrap();
    let mut hearings = Vec::new();
    for _ in 0..5 {
        hearings.push(hot.listen("news").await.unwrap());
    }
    assert_eq!(listeners(&hot).await, 5);
    drop(hearings);
    let gone = async {
        while listeners(&hot).await > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, gone).await.expect("all connections are closed");
}
