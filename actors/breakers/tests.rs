use artifactapi_core::fault::Retry;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::*;
use crate::handles::{Filter, Watch};
use crate::testing::rig::{Lot, NOON, Rig, rig, rig_of, two};
use crate::testing::{eventually, soon};

const SECOND: i64 = 1_000_000;

fn repo(number: u128) -> RepoId {
    RepoId(uuid::Uuid::from_u128(number))
}

async fn open(rig: &Rig, repo: RepoId, name: &str) {
    let breakers = &rig.handles.breakers;
    breakers.gate(repo, name).await.unwrap();
    for _ in 0..5 {
        breakers.report(repo, false);
    }
    let fault = breakers.gate(repo, name).await.unwrap_err();
    assert_eq!(fault.kind, Kind::BreakerOpen);
    assert!(matches!(fault.retry, Retry::After(pause) if !pause.is_zero()));
}

async fn word(watch: &mut Watch) -> String {
    let told = soon(watch.next()).await.unwrap();
    let event: Event = serde_json::from_str(&told.data).unwrap();
    assert_eq!(
        (event.kind, event.remote.as_deref()),
        (EventKind::Breaker, Some("r"))
    );
    event.outcome
}

#[actix::test]
async fn a_breaker_opens_lets_one_probe_through_and_closes_and_watchers_hear_of_it() {
    let rig = rig().await;
    let breakers = &rig.handles.breakers;
    let mut watch = rig.handles.events.watch(Filter::default(), None).await;
    assert_eq!(breakers.state(repo(1)), State::Closed);
    open(&rig, repo(1), "r").await;
    assert_eq!(breakers.state(repo(1)), State::Open);
    rig.clock.set(NOON + 11 * SECOND);
    assert_eq!(breakers.state(repo(1)), State::HalfOpen);
    breakers.gate(repo(1), "r").await.expect("the probe may go");
    breakers
        .gate(repo(1), "r")
        .await
        .expect_err("and nobody beside it");
    breakers.report(repo(1), true);
    breakers.gate(repo(1), "r").await.unwrap();
    assert_eq!(breakers.state(repo(1)), State::Closed);
    for expected in ["open", "half_open", "closed"] {
        assert_eq!(word(&mut watch).await, expected);
    }
    rig.stop().await;
}

#[actix::test]
async fn remotes_have_a_breaker_each_and_one_that_is_forgotten_begins_closed() {
    let rig = rig().await;
    let breakers = &rig.handles.breakers;
    breakers.report(repo(3), false);
    join_all((0..20).map(|_| breakers.gate(repo(2), "s"))).await;
    open(&rig, repo(1), "r").await;
    breakers.gate(repo(2), "s").await.unwrap();
    let names = || -> Vec<String> {
        let workers = rig.handles.board.workers().into_iter();
        workers
            .map(|worker| worker.name)
            .filter(|name| name.starts_with("breaker:"))
            .collect()
    };
    assert_eq!(names(), ["breaker:s", "breaker:r"]);
    breakers.forget(repo(1));
    eventually(|| names() == ["breaker:s"]).await;
    assert_eq!(breakers.state(repo(1)), State::Closed);
    breakers.gate(repo(1), "r").await.unwrap();
    rig.stop().await;
}

#[actix::test]
async fn a_breaker_that_panics_begins_closed_and_goes_on() {
    let rig = rig().await;
    open(&rig, repo(1), "r").await;
    assert!(rig.handles.crash("breaker:r").await);
    rig.handles.breakers.gate(repo(1), "r").await.unwrap();
    assert_eq!(rig.handles.breakers.state(repo(1)), State::Closed);
    open(&rig, repo(1), "r").await;
    rig.stop().await;
}

#[actix::test]
async fn a_breaker_of_one_replica_holds_in_all_that_hear_of_it_or_begin_later() {
    let (here, there, hot) = two().await;
    there.handles.breakers.gate(repo(1), "r").await.unwrap();
    open(&here, repo(1), "r").await;
    eventually(|| there.handles.breakers.state(repo(1)) == State::Open).await;
    let later = rig_of(Lot::replica(&here.clock, &hot, "later")).await;
    eventually(|| hot.ears() == 9).await;
    let refused = later.handles.breakers.gate(repo(1), "r").await.unwrap_err();
    assert_eq!(refused.kind, Kind::BreakerOpen);

    here.clock.set(NOON + 11 * SECOND);
    there.handles.breakers.gate(repo(1), "r").await.expect("a probe");
    eventually(|| here.handles.breakers.state(repo(1)) == State::Open).await;
    there.handles.breakers.report(repo(1), true);
    for rig in [&here, &there, &later] {
        eventually(|| rig.handles.breakers.state(repo(1)) == State::Closed).await;
    }
    let latest = rig_of(Lot::replica(&here.clock, &hot, "latest")).await;
    latest.handles.breakers.gate(repo(1), "r").await.unwrap();
    for rig in [here, there, later, latest] {
        rig.stop().await;
    }
}

#[actix::test]
async fn what_is_taken_over_is_not_told_on() {
    let (here, there, _) = two().await;
    let mut watch = there.handles.events.watch(Filter::default(), None).await;
    there.handles.breakers.gate(repo(1), "r").await.unwrap();
    open(&here, repo(1), "r").await;
    assert_eq!(word(&mut watch).await, "open");
    eventually(|| there.handles.breakers.state(repo(1)) == State::Open).await;
    there.handles.breakers.forget(repo(1));
    eventually(|| here.handles.breakers.state(repo(1)) == State::Closed).await;
    here.clock.set(NOON + SECOND);
    for _ in 0..5 {
        there.handles.breakers.report(repo(1), true);
    }
    open(&here, repo(1), "r").await;
    assert_eq!(word(&mut watch).await, "open");
    here.clock.set(NOON + 12 * SECOND);
    here.handles.breakers.gate(repo(1), "r").await.unwrap();
    assert_eq!(
        word(&mut watch).await,
        "half_open",
        "and nothing of its own between"
    );
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn without_the_store_of_hints_each_has_its_own() {
    let (here, there, hot) = two().await;
    hot.be_away(true);
    open(&here, repo(1), "r").await;
    there.handles.breakers.gate(repo(1), "r").await.unwrap();
    assert_eq!(there.handles.breakers.state(repo(1)), State::Closed);
    here.stop().await;
    there.stop().await;
}
