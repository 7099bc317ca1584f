use std::sync::Arc;

use artifactapi_core::Time;
use futures_util::{FutureExt as _, StreamExt as _};

use super::lane::LENGTH;
use super::teller::RING;
use super::*;
use crate::board::Board;
use crate::testing::{ManualClock, nursery, soon};

struct Rig {
    clock: Arc<ManualClock>,
    events: Events,
    board: Board,
}

fn rig(now: i64) -> Rig {
    let clock = ManualClock::at(now);
    let (nursery, _) = nursery();
    let (slot, inbox) = crate::inbox::inbox(WAITING);
    let (foreign, arrivals) = crate::inbox::inbox(WAITING);
    let shared = Arc::clone(&clock) as Arc<dyn artifactapi_core::Clock>;
    let teller = Teller::new((inbox, arrivals), None, shared);
    let address = nursery.start("events".into(), slot.gauge(), teller);
    Rig {
        clock,
        events: Events::new(slot, foreign, address),
        board: nursery.board,
    }
}

fn event(kind: EventKind, remote: Option<&str>, path: &str) -> Event {
    Event {
        kind,
        remote: remote.map(str::to_owned),
        path: Some(path.to_owned()),
        at: Time(7),
        outcome: "miss".into(),
        bytes: None,
    }
}

impl Rig {
    fn tell(&self, path: impl fmt::Display) {
        self.events
            .tell(event(EventKind::Fetch, Some("r"), &format!("{path}")));
    }

    async fn watch(&self, last_id: Option<u64>) -> Watch {
        self.events.watch(Filter::default(), last_id).await
    }
}

fn path(told: &Told) -> String {
    let event: serde_json::Value = serde_json::from_str(&told.data).unwrap();
    event["path"].as_str().unwrap_or_default().to_owned()
}

async fn next(watch: &mut Watch) -> Told {
    soon(watch.next()).await.expect("the watch goes on")
}

#[actix::test]
async fn watchers_get_what_is_told_from_then_on_in_order() {
    let rig = rig(1000);
    rig.tell("before");
    let mut watch = rig.watch(None).await;
    rig.tell("a");
    rig.tell("b");
    let (a, b) = (next(&mut watch).await, next(&mut watch).await);
    assert_eq!((path(&a), path(&b)), ("a".into(), "b".into()));
    assert_eq!(a.name, "fetch");
    assert_eq!(
        *a.data,
        *r#"{"kind":"fetch","remote":"r","path":"a","at":7,"outcome":"miss"}"#
    );
    assert!(watch.next().now_or_never().is_none());
}

#[actix::test]
async fn filters_hold_by_remote_and_by_kind() {
    let rig = rig(1000);
    let remotes = Filter {
        remotes: ["r".to_owned()].into(),
        ..Filter::default()
    };
    let kinds = Filter {
        kinds: [EventKind::Gc].into(),
        ..Filter::default()
    };
    let mut by_remote = rig.events.watch(remotes, None).await;
    let mut by_kind = rig.events.watch(kinds, None).await;
    rig.events.tell(event(EventKind::Gc, None, "collected"));
    rig.events.tell(event(EventKind::Hit, Some("s"), "other"));
    rig.events.tell(event(EventKind::Hit, Some("r"), "own"));
    assert_eq!(path(&next(&mut by_remote).await), "own");
    assert_eq!(path(&next(&mut by_kind).await), "collected");
    assert!(by_remote.next().now_or_never().is_none());
    assert!(by_kind.next().now_or_never().is_none());
}

#[actix::test]
async fn ids_rise_though_the_clock_stands_or_goes_back() {
    let rig = rig(1000);
    let mut watch = rig.watch(None).await;
    let mut ids = Vec::new();
    for now in [2000, 2000, 500, 500, 3000] {
        rig.clock.set(now);
        rig.tell("x");
        ids.push(next(&mut watch).await.id);
    }
    assert_eq!(ids, [2000, 2001, 2002, 2003, 3000]);
}

#[actix::test]
async fn who_resumes_gets_what_came_since() {
    let rig = rig(1000);
    let mut first = rig.watch(None).await;
    for path in ["a", "b", "c"] {
        rig.tell(path);
    }
    let last = next(&mut first).await.id;
    let mut resumed = rig.watch(Some(last)).await;
    rig.tell("d");
    for expected in ["b", "c", "d"] {
        assert_eq!(path(&next(&mut resumed).await), expected);
    }
}

#[actix::test]
async fn who_resumes_past_the_ring_is_told_what_passed_by() {
    let rig = rig(1000);
    let mut first = rig.watch(None).await;
    rig.tell(0);
    let last = next(&mut first).await.id;
    for number in 1..=RING + 10 {
        rig.tell(number);
    }
    let mut resumed = rig.watch(Some(last)).await;
    let missed = next(&mut resumed).await;
    assert_eq!(missed.name, "missed");
    let oldest = next(&mut resumed).await;
    assert_eq!(path(&oldest), "11");
    assert_eq!(
        *missed.data,
        *format!(r#"{{"from":{},"to":{}}}"#, last + 1, oldest.id - 1)
    );
    assert_eq!(missed.id, oldest.id - 1);
}

#[actix::test]
async fn who_resumes_from_an_earlier_process_is_told_so() {
    let rig = rig(5000);
    let mut resumed = rig.watch(Some(4000)).await;
    let missed = next(&mut resumed).await;
    assert_eq!(
        (missed.name, &*missed.data),
        ("missed", r#"{"from":4001,"to":5000}"#)
    );
}

#[actix::test]
async fn who_falls_behind_gets_what_fitted_then_what_was_missed_then_the_rest() {
    let rig = rig(1000);
    let mut slow = rig.watch(None).await;
    for number in 0..LENGTH + 5 {
        rig.tell(number);
    }
    let mut probe = rig.watch(None).await;
    let mut last = 0;
    for number in 0..LENGTH {
        let told = next(&mut slow).await;
        assert_eq!(path(&told), number.to_string());
        last = told.id;
    }
    let missed = next(&mut slow).await;
    assert_eq!(
        *missed.data,
        *format!(r#"{{"from":{},"to":{}}}"#, last + 1, last + 5)
    );
    rig.tell("after");
    assert_eq!(path(&next(&mut slow).await), "after");
    assert_eq!(path(&next(&mut probe).await), "after");
}

#[actix::test]
async fn events_that_did_not_fit_are_told_as_missed_in_their_place() {
    let rig = rig(1000);
    let mut watch = rig.watch(None).await;
    let gc = Filter {
        kinds: [EventKind::Gc].into(),
        ..Filter::default()
    };
    let mut unconcerned = rig.events.watch(gc, None).await;
    for number in 0..WAITING + 3 {
        rig.tell(number);
    }
    // Nobody had a turn meanwhile, so the last three did not fit.
    rig.events.watch(Filter::default(), None).await;
    rig.tell("after");
    rig.events.tell(event(EventKind::Gc, None, "gc"));
    assert_eq!(next(&mut unconcerned).await.name, "missed");
    assert_eq!(path(&next(&mut unconcerned).await), "gc");
    let mut told = next(&mut watch).await;
    while path(&told) != "after" && told.name != "missed" {
        told = next(&mut watch).await;
    }
    assert_eq!(told.name, "missed");
}

#[actix::test]
async fn a_panic_ends_watches_and_no_id_comes_twice() {
    let rig = rig(1000);
    let mut watch = rig.watch(None).await;
    rig.tell("a");
    let last = next(&mut watch).await.id;
    assert!(rig.board.crash("events").await);
    assert_eq!(soon(watch.next()).await, None);
    rig.clock.set(10);
    let mut resumed = rig.watch(Some(last)).await;
    let missed = next(&mut resumed).await;
    assert_eq!(
        missed.name, "missed",
        "an empty ring cannot know what else there was"
    );
    rig.tell("b");
    let told = next(&mut resumed).await;
    assert_eq!(path(&told), "b");
    assert!(told.id > missed.id && missed.id > last);
    assert_eq!(rig.board.workers().remove(0).restarts, 1);
}

#[actix::test]
async fn events_told_while_the_worker_is_down_are_not_lost() {
    let rig = rig(1000);
    let mut watch = rig.watch(None).await;
    rig.tell("a");
    let last = next(&mut watch).await.id;
    let (crashed, ()) = tokio::join!(rig.board.crash("events"), async { rig.tell("b") });
    assert!(crashed);
    let mut resumed = rig.watch(Some(last)).await;
    let told: Vec<_> = [next(&mut resumed).await, next(&mut resumed).await].into();
    assert_eq!(told.iter().map(path).collect::<Vec<_>>(), ["", "b"]);
}

#[actix::test]
async fn an_id_that_another_process_gave_leads_to_missed_and_never_to_silence() {
    let rig = rig(1000);
    let mut first = rig.watch(None).await;
    rig.tell("a");
    let a = next(&mut first).await;
    rig.clock.set(3000);
    rig.tell("b");
    let b = next(&mut first).await;
    let mut watches = Vec::new();
    for (foreign, span) in [
        (2000, r#"{"from":2001,"to":3000}"#),
        (9000, r#"{"from":3000,"to":3000}"#),
        (u64::MAX, r#"{"from":3000,"to":3000}"#),
    ] {
        let mut resumed = rig.watch(Some(foreign)).await;
        let missed = next(&mut resumed).await;
        assert_eq!((missed.name, &*missed.data, missed.id), ("missed", span, 3000));
        watches.push(resumed);
    }
    rig.tell("c");
    for mut resumed in watches {
        assert_eq!(path(&next(&mut resumed).await), "c");
    }
    let mut known = rig.watch(Some(a.id)).await;
    assert_eq!(next(&mut known).await, b);
}

#[actix::test]
async fn hits_that_nobody_can_hear_of_are_not_told_but_count_as_missed() {
    let clock: Arc<dyn artifactapi_core::Clock> = artifactapi_core::clock::SystemClock::shared();
    let (nursery, _) = nursery();
    let (slot, inbox) = crate::inbox::inbox(WAITING);
    let (foreign, arrivals) = crate::inbox::inbox(WAITING);
    let teller = Teller::new((inbox, arrivals), None, clock);
    let heard = teller.heard();
    let address = nursery.start("events".into(), slot.gauge(), teller);
    let events = Events::new(slot, foreign, address).heard_where(Arc::clone(&heard));
    let hit = || event(EventKind::Hit, Some("r"), "p");
    events.tell_hit(|| unreachable!("nobody watches"));
    let mut watch = events.watch(Filter::default(), None).await;
    events.tell_hit(hit);
    let told = watch.next().await.unwrap();
    assert_eq!(told.name, "hit");
    drop(watch);
    // Whoever left lately may resume.
    for _ in 0..3 {
        events.tell_hit(hit);
    }
    let mut resumed = events.watch(Filter::default(), Some(told.id)).await;
    for _ in 0..3 {
        assert_eq!(resumed.next().await.unwrap().name, "hit");
    }
    drop(resumed);
    while heard.load(Ordering::Relaxed) {
        events.tell_hit(hit);
        tokio::task::yield_now().await;
    }
    events.tell_hit(|| unreachable!("nobody can resume any more"));
    let mut late = events.watch(Filter::default(), Some(told.id)).await;
    assert_eq!(late.next().await.unwrap().name, MISSED);
}
