use artifactapi_core::Time;
use artifactapi_core::port::catalog::{Journal as _, LogRow};
use futures_util::StreamExt as _;

use super::*;
use crate::handles::WorkerState;
use crate::testing::rig::rig;
use crate::testing::{eventually, head, pattern, soon};

#[actix::test]
async fn every_worker_is_on_the_board_in_the_order_of_its_start() {
    let rig = rig().await;
    let workers = rig.handles.board.workers();
    let names: Vec<_> = workers
        .iter()
        .map(|worker| (worker.name.as_str(), worker.kind))
        .collect();
    let expected = [
        ("events", "events"),
        ("access-log", "access-log"),
        ("gc", "gc"),
        ("coordinator-0", "coordinator"),
        ("coordinator-1", "coordinator"),
        ("replicas", "replicas"),
    ];
    assert_eq!(names, expected);
    assert!(workers.iter().all(|worker| worker.state == WorkerState::Running));
    rig.stop().await;
}

#[actix::test]
async fn every_worker_may_panic_while_a_fetch_goes_on() {
    let (rig, data) = (rig().await, pattern(500_000));
    let repo = rig.order("k").repo;
    rig.handles.breakers.gate(repo, "r").await.unwrap();
    let feed = rig.upstream.feed(head(200, Some(500_000)));
    let ticket = rig.join("k").await;
    let mut body = ticket.body(None);
    feed.bytes(&data[..250_000]);
    let first = soon(body.next()).await.unwrap().unwrap();
    let names: Vec<_> = rig
        .handles
        .board
        .workers()
        .into_iter()
        .map(|worker| worker.name)
        .collect();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in &names {
        assert!(rig.handles.crash(name).await, "{name} panicked");
    }
    assert!(!rig.handles.crash("nobody").await);
    eventually(|| {
        rig.handles
            .board
            .workers()
            .iter()
            .all(|worker| worker.restarts == 1)
    })
    .await;
    feed.bytes(&data[250_000..]);
    drop(feed);
    let rest: Vec<_> = body.map(Result::unwrap).collect().await;
    assert!([vec![first], rest].concat().concat() == data);
    assert!(rig.gave_up.lock().unwrap().is_empty());
    rig.stop().await;
}

#[actix::test]
async fn a_worker_that_panics_on_and_on_is_given_up() {
    let rig = rig().await;
    for _ in 0..6 {
        assert!(rig.handles.crash("events").await);
    }
    eventually(|| *rig.gave_up.lock().unwrap() == ["events"]).await;
    let events = rig.handles.board.workers().remove(0);
    assert_eq!((events.state, events.restarts), (WorkerState::GaveUp, 5));
    rig.stop().await;
}

#[actix::test]
async fn a_stop_lets_flights_land_and_writes_the_log() {
    let rig = rig().await;
    rig.script.hold();
    rig.upstream.give(head(200, Some(5)), b"hello");
    let ticket = rig.join("k").await;
    soon(ticket.verified()).await.unwrap();
    rig.handles.log.push(row(), None);
    let (script, catalog) = (Arc::clone(&rig.script), Arc::clone(&rig.catalog));
    let landed = async {
        tokio::task::yield_now().await;
        script.release();
        soon(ticket.settled()).await.unwrap()
    };
    let (landed, ()) = tokio::join!(landed, rig.stop_within(Duration::from_secs(20)));
    assert!(matches!(landed.stage, crate::flight::Stage::Landed(_)));
    let statistics = catalog.statistics(Time(0)).await.unwrap();
    assert_eq!(statistics.iter().map(|row| row.requests).sum::<u64>(), 1);
}

fn row() -> LogRow {
    LogRow {
        at: Time(1),
        repo: "r".into(),
        method: "GET",
        path: "p".into(),
        status: 200,
        outcome: "hit",
        hit: true,
        bytes: 1,
        micros: 1,
    }
}
