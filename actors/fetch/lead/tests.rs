use artifactapi_core::Clock;
use artifactapi_core::breaker::State;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::hot::Hot as _;

use super::*;
use crate::flight::Stage;
use crate::testing::hot::Common;
use crate::testing::rig::{Lot, NOON, Rig, rig_of, two};
use crate::testing::{ManualClock, entry, eventually, head, soon};

const SECOND: i64 = 1_000_000;

async fn one() -> (Rig, Arc<Common>) {
    let clock = ManualClock::at(NOON);
    let hot = Common::new(Arc::clone(&clock) as Arc<dyn Clock>);
    (rig_of(Lot::replica(&clock, &hot, "here")).await, hot)
}

fn land(rig: &Rig) {
    rig.script.rules.lock().unwrap().found = Some(entry("k"));
}

/// Whether nobody holds the lease of `k` any more.
async fn is_free(hot: &Common) -> bool {
    let taken = hot.acquire("flight/k", "tester", TTL).await.unwrap();
    hot.release("flight/k", "tester").await.unwrap();
    taken
}

const TTL: Duration = Duration::from_mins(1);

#[actix::test]
async fn of_two_replicas_one_asks_upstream_and_the_other_takes_what_landed() {
    let (here, there, hot) = two().await;
    let feed = here.upstream.feed(head(200, Some(5)));
    let leading = here.join("k").await;
    eventually(|| here.upstream.asked() == 1).await;
    let (following, coalesced) = (there.join("k").await, there.join("k").await);
    assert!(!coalesced.leader, "clients of one replica wait together");
    eventually(|| hot.refused() > 2).await;
    feed.bytes(b"hello");
    drop(feed);
    soon(leading.settled()).await.unwrap();
    land(&there);
    for ticket in [following, coalesced] {
        let now = soon(ticket.settled()).await.unwrap();
        assert!(matches!(now.stage, Stage::Landed(_)) && now.fetched.is_none());
    }
    assert_eq!(there.upstream.asked(), 0);
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn when_the_leader_fails_the_other_asks_at_once() {
    let (here, there, hot) = two().await;
    here.script.hold();
    here.upstream.refuse(Kind::Broken);
    let leading = here.join("k").await;
    eventually(|| here.upstream.asked() == 1).await;
    there.upstream.give(head(200, Some(5)), b"hello");
    let following = there.join("k").await;
    eventually(|| hot.refused() > 0).await;
    assert_eq!(there.upstream.asked(), 0);
    here.script.release();
    soon(leading.settled()).await.err().expect("it failed");
    soon(following.settled()).await.unwrap();
    assert_eq!(there.upstream.asked(), 1);
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn a_lease_is_given_back_after_success_failure_and_panic() {
    let (rig, hot) = one().await;
    rig.upstream.give(head(200, Some(5)), b"hello");
    soon(rig.join("k").await.settled()).await.unwrap();
    soon(async { while !is_free(&hot).await {} }).await;
    rig.upstream.refuse(Kind::Broken);
    soon(rig.join("k").await.settled())
        .await
        .err()
        .expect("it failed");
    soon(async { while !is_free(&hot).await {} }).await;
    rig.script.rules.lock().unwrap().panic_on_judge = true;
    rig.upstream.give(head(200, Some(5)), b"hello");
    soon(rig.join("k").await.settled())
        .await
        .err()
        .expect("it crashed");
    soon(async { while !is_free(&hot).await {} }).await;
    rig.stop().await;
}

#[actix::test]
async fn the_lease_of_a_dead_replica_is_taken_when_it_ends() {
    let (rig, hot) = one().await;
    assert!(hot.acquire("flight/k", "dead", TTL).await.unwrap());
    rig.upstream.give(head(200, Some(5)), b"hello");
    let ticket = rig.join("k").await;
    eventually(|| hot.refused() > 0).await;
    assert_eq!(rig.upstream.asked(), 0);
    rig.clock.set(NOON + 61 * SECOND);
    soon(ticket.settled()).await.unwrap();
    assert_eq!(rig.upstream.asked(), 1);
    rig.stop().await;
}

#[actix::test]
async fn nobody_waits_for_ever_for_a_leader_that_goes_on_and_on() {
    let (rig, hot) = one().await;
    assert!(hot.acquire("flight/k", "slow", TTL).await.unwrap());
    rig.upstream.give(head(200, Some(5)), b"hello");
    let ticket = rig.join("k").await;
    soon(ticket.settled()).await.unwrap();
    assert_eq!(rig.upstream.asked(), 1);
    assert!(
        !hot.acquire("flight/k", "tester", TTL).await.unwrap(),
        "the other's lease is not taken from it"
    );
    rig.stop().await;
}

#[actix::test]
async fn without_the_store_of_hints_everyone_fetches() {
    let (here, there, hot) = two().await;
    hot.be_away(true);
    for rig in [&here, &there] {
        rig.upstream.give(head(200, Some(5)), b"hello");
        soon(rig.join("k").await.settled()).await.unwrap();
        assert_eq!(rig.upstream.asked(), 1);
    }
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn a_probe_that_finds_what_another_fetched_has_reported() {
    let (rig, _) = one().await;
    let breakers = &rig.handles.breakers;
    let repo = rig.order("k").repo;
    breakers.gate(repo, "r").await.unwrap();
    for _ in 0..5 {
        breakers.report(repo, false);
    }
    breakers.gate(repo, "r").await.expect_err("it is open");
    rig.clock.set(NOON + 11 * SECOND);
    breakers.gate(repo, "r").await.expect("the probe may go");
    land(&rig);
    soon(rig.join("k").await.settled()).await.unwrap();
    eventually(|| breakers.state(repo) == State::Closed).await;
    rig.stop().await;
}
