//! The laws of flights, over real threads and a scripted upstream.

use std::time::Duration;

use artifactapi_core::breaker::State;
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::seal::Verdict;
use artifactapi_core::{Digest, RepoId};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::*;
use crate::flight::{TAIL, Ticket};
use crate::handles::{Filter, Told, Watch};
use crate::testing::rig::{Rig, rig};
use crate::testing::{entry, eventually, head, pattern, soon};

/// Larger than what spools keep in memory.
const LARGE: usize = 3_000_000;

/// What a client gets in the end.
async fn read(ticket: &Ticket, span: Option<std::ops::Range<u64>>) -> Result<Vec<u8>, (usize, Fault)> {
    let mut body = ticket.body(span);
    let mut got = Vec::new();
    while let Some(chunk) = soon(body.next()).await {
        match chunk {
            Ok(chunk) => got.extend_from_slice(&chunk),
            Err(fault) => return Err((got.len(), fault)),
        }
    }
    Ok(got)
}

async fn next(watch: &mut Watch) -> (Told, serde_json::Value) {
    let told = soon(watch.next()).await.unwrap();
    let event = serde_json::from_str(&told.data).unwrap();
    (told, event)
}

async fn written(ticket: &Ticket, at_least: usize) {
    eventually(|| ticket.progress().written >= at_least as u64).await;
}

#[actix::test]
async fn two_hundred_clients_share_one_fetch_while_it_arrives() {
    let (rig, data) = (rig().await, pattern(LARGE));
    let feed = rig.upstream.feed(head(200, Some(LARGE as u64)));
    let tickets = join_all((0..200).map(|_| rig.join("k"))).await;
    assert_eq!(tickets.iter().filter(|ticket| ticket.leader).count(), 1);
    assert_eq!(rig.handles.flights.in_flight(), 1);
    let mut readers = Vec::new();
    for ticket in &tickets {
        readers.push(ticket.body(None));
    }
    feed.bytes(&data[..LARGE / 2]);
    for reader in &mut readers {
        let first: Bytes = soon(reader.next()).await.unwrap().unwrap();
        assert!(!first.is_empty(), "bytes come before the fetch ends");
    }
    feed.bytes(&data[LARGE / 2..]);
    drop(feed);
    for got in join_all(tickets.iter().map(|ticket| read(ticket, None))).await {
        assert!(got.unwrap() == data);
    }
    assert_eq!(rig.upstream.asked(), 1);
    assert_eq!(rig.script.log(), ["judge 200", "land 3000000 proven=true"]);
    rig.stop().await;
}

#[actix::test]
async fn slow_and_late_readers_get_everything_and_hold_nobody_up() {
    let (rig, data) = (rig().await, pattern(LARGE));
    let feed = rig.upstream.feed(head(200, Some(LARGE as u64)));
    let first = rig.join("k").await;
    let mut slow = first.body(None);
    let mut late = Vec::new();
    for quarter in data.chunks(LARGE / 4) {
        late.push(rig.join("k").await);
        feed.bytes(quarter);
        let sent = quarter.len() * late.len();
        written(&first, sent).await;
    }
    let head_of_slow = soon(slow.next()).await.unwrap().unwrap();
    drop(feed);
    for ticket in &late {
        assert!(read(ticket, None).await.unwrap() == data);
    }
    soon(first.settled()).await.unwrap();
    eventually(|| rig.handles.flights.in_flight() == 0).await;
    let rest: Vec<Bytes> = slow.map(Result::unwrap).collect().await;
    assert!(
        [head_of_slow]
            .into_iter()
            .chain(rest)
            .collect::<Vec<_>>()
            .concat()
            == data
    );
    assert_eq!(rig.upstream.asked(), 1);
    rig.stop().await;
}

#[actix::test]
async fn a_fetch_goes_on_and_lands_when_every_client_has_left() {
    let rig = rig().await;
    let feed = rig.upstream.feed(head(200, Some(1000)));
    drop(rig.join("k").await);
    feed.bytes(&pattern(1000));
    drop(feed);
    eventually(|| rig.script.log().len() == 2).await;
    assert_eq!(rig.script.log()[1], "land 1000 proven=true");
    rig.stop().await;
}

#[actix::test]
async fn spans_come_from_a_running_flight() {
    let (rig, data) = (rig().await, pattern(500_000));
    let feed = rig.upstream.feed(head(200, Some(500_000)));
    let ticket = rig.join("k").await;
    feed.bytes(&data[..300_000]);
    assert!(read(&ticket, Some(100..200_000)).await.unwrap() == data[100..200_000]);
    feed.bytes(&data[300_000..]);
    drop(feed);
    assert!(read(&ticket, Some(450_000..500_000)).await.unwrap() == data[450_000..]);
    rig.stop().await;
}

#[actix::test]
async fn the_tail_is_held_until_the_verdict() {
    let (rig, data) = (rig().await, pattern(200_000));
    let feed = rig.upstream.feed(head(200, Some(200_000)));
    let ticket = rig.join("k").await;
    feed.bytes(&data);
    written(&ticket, 200_000).await;
    let (mut body, mut got) = (ticket.body(None), 0);
    while got < data.len() - 64 * 1024 {
        got += soon(body.next()).await.unwrap().unwrap().len();
    }
    assert_eq!(got as u64 + TAIL, 200_000);
    assert!(
        futures_util::poll!(body.next()).is_pending(),
        "upstream has not ended yet"
    );
    drop(feed);
    let rest: Vec<Bytes> = body.map(Result::unwrap).collect().await;
    assert_eq!(rest.concat(), data[got..]);
    rig.stop().await;
}

#[actix::test]
async fn a_failure_in_mid_body_reaches_everybody_and_the_next_asks_again() {
    let (rig, data) = (rig().await, pattern(300_000));
    let feed = rig.upstream.feed(head(200, Some(300_000)));
    let tickets = join_all((0..20).map(|_| rig.join("k"))).await;
    feed.bytes(&data[..200_000]);
    written(&tickets[0], 200_000).await;
    feed.fail(Kind::Cut);
    for ticket in &tickets {
        let (got, fault) = read(ticket, None).await.unwrap_err();
        assert!(got < 300_000 - 64 * 1024 + 1);
        assert_eq!(fault.kind, Kind::Cut);
        assert_eq!(soon(ticket.settled()).await.err().unwrap().kind, Kind::Cut);
    }
    assert_eq!(rig.script.log(), ["judge 200", "failed upstream_cut"]);
    eventually(|| rig.handles.flights.in_flight() == 0).await;
    rig.upstream.give(head(200, Some(300_000)), &data);
    assert!(read(&rig.join("k").await, None).await.unwrap() == data);
    assert_eq!(rig.upstream.asked(), 2);
    rig.stop().await;
}

/// Fetches a body of 100 kB and gives the fault it ends with.
async fn fault_of(rig: &Rig, length: Option<u64>, digest: Option<&str>, size: Option<u64>) -> Fault {
    rig.upstream.give(head(200, length), &pattern(100_000));
    let ticket = rig.join_knowing("k", digest, size).await;
    let (got, fault) = read(&ticket, None).await.unwrap_err();
    assert!(got as u64 + TAIL <= 100_000.max(length.or(size).unwrap_or(0)));
    eventually(|| rig.handles.flights.in_flight() == 0).await;
    assert!(
        !rig.script.log().iter().any(|line| line.starts_with("land")),
        "nothing wrong lands"
    );
    fault
}

#[actix::test]
async fn a_body_that_is_not_what_was_known_of_it_never_ends_cleanly() {
    let rig = rig().await;
    let wrong = Digest::sha256(b"other").to_string();
    assert_eq!(fault_of(&rig, Some(100_001), None, None).await.kind, Kind::Cut);
    assert_eq!(fault_of(&rig, Some(99_999), None, None).await.kind, Kind::Broken);
    assert_eq!(
        fault_of(&rig, None, None, Some(100_001)).await.kind,
        Kind::Corrupt
    );
    assert_eq!(
        fault_of(&rig, Some(100_000), None, Some(7)).await.kind,
        Kind::Corrupt
    );
    assert_eq!(
        fault_of(&rig, Some(100_000), Some(&wrong), None).await.kind,
        Kind::Corrupt
    );
    rig.script.rules.lock().unwrap().verdict = Some(Verdict::Broken("no document"));
    assert_eq!(fault_of(&rig, Some(100_000), None, None).await.kind, Kind::Broken);
    rig.stop().await;
}

#[actix::test]
async fn every_algorithm_that_an_order_names_is_checked() {
    let (rig, data) = (rig().await, pattern(300_000));
    let found = {
        let mut hasher = artifactapi_core::digest::Hasher::new([artifactapi_core::Alg::Md5]);
        hasher.update(&data);
        hasher.finish()
    };
    rig.upstream.give(head(200, None), &data);
    let md5 = found.others[0].to_string();
    let fetched = rig.join_knowing("k", Some(&md5), None).await;
    let fetched = soon(fetched.verified()).await.unwrap();
    assert_eq!(
        (&fetched.digests, fetched.size, fetched.proven),
        (&found, 300_000, true)
    );
    rig.stop().await;
}

#[actix::test]
async fn what_ends_by_close_alone_is_served_unproven() {
    let rig = rig().await;
    let until_close = || Head {
        framed: false,
        ..head(200, None)
    };
    rig.upstream.give(until_close(), b"unended");
    assert_eq!(read(&rig.join("a").await, None).await.unwrap(), b"unended");
    rig.upstream.give(head(200, None), b"chunks");
    assert_eq!(read(&rig.join("c").await, None).await.unwrap(), b"chunks");
    rig.script.rules.lock().unwrap().verdict = Some(Verdict::Whole);
    rig.upstream.give(until_close(), b"sealed!!");
    assert_eq!(read(&rig.join("b").await, None).await.unwrap(), b"sealed!!");
    eventually(|| rig.handles.flights.in_flight() == 0).await;
    let log = rig.script.log();
    for line in ["land 7 proven=false", "land 6 proven=true", "land 8 proven=true"] {
        assert!(log.iter().any(|logged| logged == line), "{log:?}");
    }
    rig.stop().await;
}

#[actix::test]
async fn a_store_that_fails_costs_no_download() {
    let (rig, data) = (rig().await, pattern(LARGE));
    rig.script.rules.lock().unwrap().unstorable = true;
    rig.upstream.give(head(200, Some(LARGE as u64)), &data);
    let ticket = rig.join("k").await;
    assert!(read(&ticket, None).await.unwrap() == data);
    let settled = soon(ticket.settled()).await.unwrap();
    assert!(matches!(settled.stage, Stage::Unstored(fault) if fault.kind == Kind::StoreUnavailable));
    assert!(
        read(&ticket, None).await.unwrap() == data,
        "the bytes are still here"
    );
    rig.stop().await;
}

#[actix::test]
async fn readers_are_free_while_storing_goes_on_and_newcomers_still_join() {
    let rig = rig().await;
    rig.script.hold();
    rig.upstream.give(head(200, Some(5)), b"hello");
    let ticket = rig.join("k").await;
    assert_eq!(read(&ticket, None).await.unwrap(), b"hello");
    let late = rig.join("k").await;
    assert!(!late.leader);
    assert_eq!(soon(late.verified()).await.unwrap().size, 5);
    assert!(matches!(late.progress().stage, Stage::Verified));
    rig.script.release();
    assert!(matches!(
        soon(late.settled()).await.unwrap().stage,
        Stage::Landed(_)
    ));
    assert_eq!(rig.upstream.asked(), 1);
    rig.stop().await;
}

#[actix::test]
async fn a_failure_is_known_to_the_landing_before_any_client() {
    let rig = rig().await;
    rig.script.hold();
    rig.upstream.refuse(Kind::Timeout);
    let ticket = rig.join("k").await;
    eventually(|| rig.upstream.asked() == 1).await;
    assert!(futures_util::poll!(Box::pin(ticket.opening())).is_pending());
    assert!(!ticket.progress().stage.is_end());
    rig.script.release();
    assert_eq!(soon(ticket.opening()).await.err().unwrap().kind, Kind::Timeout);
    assert_eq!(rig.script.log(), ["failed upstream_timeout"]);
    rig.stop().await;
}

#[actix::test]
async fn a_confirmed_copy_and_one_found_stored_end_the_flight_without_a_body() {
    let rig = rig().await;
    rig.upstream.give(head(304, None), b"");
    let settled = soon(rig.join("k").await.settled()).await.unwrap();
    assert!(matches!(settled.stage, Stage::Same(entry) if entry.id.key.as_str() == "k"));
    assert!(settled.head.is_none());
    rig.script.rules.lock().unwrap().found = Some(entry("stored"));
    let ticket = rig.join("other").await;
    let opened = soon(ticket.opening()).await.unwrap();
    assert!(matches!(opened.stage, Stage::Landed(entry) if entry.id.key.as_str() == "stored"));
    assert!(
        read(&ticket, None).await.is_err(),
        "there is nothing to read here"
    );
    assert_eq!(
        rig.upstream.asked(),
        1,
        "upstream was not asked for what is stored"
    );
    assert_eq!(rig.script.log(), ["judge 304", "same"]);
    rig.stop().await;
}

#[actix::test]
async fn a_coordinator_that_panics_in_mid_flight_costs_a_second_fetch_and_nothing_else() {
    let (rig, data) = (rig().await, pattern(400_000));
    let old = rig.upstream.feed(head(200, Some(400_000)));
    let before = rig.join("k").await;
    old.bytes(&data[..200_000]);
    written(&before, 200_000).await;
    for worker in ["coordinator-0", "coordinator-1"] {
        assert!(rig.handles.crash(worker).await);
    }
    let new = rig.upstream.feed(head(200, Some(400_000)));
    let after = rig.join("k").await;
    assert!(after.leader);
    new.bytes(&data);
    old.bytes(&data[200_000..]);
    drop((old, new));
    assert!(read(&before, None).await.unwrap() == data);
    assert!(read(&after, None).await.unwrap() == data);
    assert_eq!(rig.upstream.asked(), 2);
    let restarts = || {
        rig.handles
            .board
            .workers()
            .iter()
            .map(|worker| worker.restarts)
            .sum::<u64>()
    };
    eventually(|| restarts() == 2).await;
    rig.stop().await;
}

#[actix::test]
async fn a_flight_that_panics_is_told_as_crashed_and_its_place_is_free_again() {
    let rig = rig().await;
    rig.script.rules.lock().unwrap().panic_on_judge = true;
    rig.upstream.give(head(200, Some(5)), b"hello");
    let ticket = rig.join("k").await;
    let fault = soon(ticket.opening()).await.err().unwrap();
    assert_eq!((fault.kind, fault.retry), (Kind::Internal, Retry::Now));
    let queue = || {
        rig.handles
            .board
            .workers()
            .iter()
            .map(|worker| worker.queue)
            .sum::<u64>()
    };
    eventually(|| queue() == 0 && rig.handles.flights.in_flight() == 0).await;
    rig.script.rules.lock().unwrap().panic_on_judge = false;
    rig.upstream.give(head(200, Some(5)), b"hello");
    assert_eq!(read(&rig.join("k").await, None).await.unwrap(), b"hello");
    rig.stop().await;
}

#[actix::test]
async fn the_breaker_hears_of_trouble_and_not_of_honest_answers() {
    let rig = rig().await;
    let repo: RepoId = rig.order("k").repo;
    let breakers = rig.handles.breakers.clone();
    breakers.gate(repo, "r").await.unwrap();
    for kind in [
        Kind::Corrupt,
        Kind::Quota,
        Kind::Egress,
        Kind::Overloaded,
        Kind::Egress,
        Kind::Egress,
    ] {
        rig.upstream.refuse(kind);
        soon(rig.join("k").await.settled()).await.err().unwrap();
        eventually(|| rig.handles.flights.in_flight() == 0).await;
    }
    breakers.gate(repo, "r").await.unwrap();
    for status in [500, 502, 503, 404, 500, 500, 500, 500] {
        rig.upstream.give(head(status, None), b"");
        soon(rig.join("k").await.settled()).await.err().unwrap();
        eventually(|| rig.handles.flights.in_flight() == 0).await;
    }
    breakers
        .gate(repo, "r")
        .await
        .expect("an honest 404 counts as a success");
    rig.upstream.refuse(Kind::Unreachable);
    soon(rig.join("k").await.settled()).await.err().unwrap();
    let fault = breakers.gate(repo, "r").await.unwrap_err();
    assert_eq!(fault.kind, Kind::BreakerOpen);
    assert_eq!(breakers.state(repo), State::Open);
    rig.stop().await;
}

#[actix::test]
async fn no_refusal_of_upstream_opens_the_breaker() {
    let rig = rig().await;
    let repo: RepoId = rig.order("k").repo;
    let breakers = rig.handles.breakers.clone();
    breakers.gate(repo, "r").await.unwrap();
    for status in [400, 406, 414, 451, 418, 400] {
        rig.upstream.give(head(status, None), b"");
        soon(rig.join("k").await.settled()).await.err().unwrap();
        eventually(|| rig.handles.flights.in_flight() == 0).await;
    }
    breakers.gate(repo, "r").await.unwrap();
    assert_eq!(breakers.state(repo), State::Closed);
    rig.stop().await;
}

#[actix::test]
async fn watchers_hear_how_fetches_end() {
    let rig = rig().await;
    let mut watch = rig.handles.events.watch(Filter::default(), None).await;
    rig.upstream.give(head(200, Some(5)), b"hello");
    rig.join("a").await;
    let (told, event) = next(&mut watch).await;
    assert_eq!(
        (told.name, &event["outcome"], &event["bytes"]),
        ("fetch", &"miss".into(), &5.into())
    );
    assert_eq!((&event["remote"], &event["path"]), (&"r".into(), &"a".into()));
    let wrong = Digest::sha256(b"other").to_string();
    rig.upstream.give(head(200, Some(5)), b"hello");
    rig.join_knowing("b", Some(&wrong), None).await;
    let (fetch, incident) = (next(&mut watch).await, next(&mut watch).await);
    assert_eq!(
        (fetch.0.name, &fetch.1["outcome"]),
        ("fetch", &"upstream_corrupt".into())
    );
    assert_eq!((incident.0.name, &incident.1["path"]), ("incident", &"b".into()));
    rig.stop().await;
}

#[actix::test]
async fn upstream_is_let_go_when_the_body_is_known_to_be_wrong() {
    let rig = rig().await;
    let feed = rig.upstream.feed(head(200, Some(10)));
    let ticket = rig.join("k").await;
    feed.bytes(b"more than ten");
    assert_eq!(soon(ticket.settled()).await.err().unwrap().kind, Kind::Broken);
    eventually(|| feed.is_abandoned()).await;
    rig.stop().await;
}

#[actix::test]
async fn a_stop_does_not_wait_for_an_upstream_that_stalls() {
    let rig = rig().await;
    let feed = rig.upstream.feed(head(200, Some(10)));
    let ticket = rig.join("k").await;
    eventually(|| ticket.progress().head.is_some()).await;
    soon(rig.stop_within(Duration::from_millis(200))).await;
    assert_eq!(soon(ticket.settled()).await.err().unwrap().retry, Retry::Now);
    assert!(feed.is_abandoned());
}
