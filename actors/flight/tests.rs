use std::ops::Range;
use std::time::Duration;

use artifactapi_core::digest::Hasher;
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::port::ByteStream;
use artifactapi_store::spool::Spools;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::testing::{entry, head, pattern, soon};

/// The writer's side of a flight, moved by hand.
struct Hand {
    sender: watch::Sender<Progress>,
    spool: Arc<Spool>,
    ticket: Ticket,
}

fn hand() -> Hand {
    let (sender, watched) = watch::channel(Progress::new());
    let spool = Arc::new(Spools::with_memory("unused".into(), u64::MAX).spool());
    let ticket = Ticket::new(watched, Arc::clone(&spool), Duration::from_secs(10));
    Hand {
        sender,
        spool,
        ticket,
    }
}

impl Hand {
    fn open(&self, length: Option<u64>) {
        self.sender.send_modify(|now| {
            now.head = Some(Arc::new(head(200, length)));
            now.length = length;
            now.stage = Stage::Filling;
        });
    }

    fn write(&self, bytes: &[u8]) {
        let written = self.spool.append(bytes).unwrap();
        self.sender.send_modify(|now| now.written = written);
    }

    fn verify(&self) {
        self.sender.send_modify(|now| {
            now.stage = Stage::Verified;
            now.fetched = Some(Arc::new(Fetched {
                head: Arc::new(head(200, now.length)),
                spool: Arc::clone(&self.spool),
                size: now.written,
                digests: Hasher::new([]).finish(),
                proven: true,
            }));
        });
    }

    fn end(&self, stage: Stage) {
        self.sender.send_modify(|now| now.stage = stage);
    }
}

/// Everything a reader gives without waiting for the writer; whether it ended, and how. A reader that only lets others
/// have their turn is asked again.
fn drain(body: &mut ByteStream, got: &mut Vec<u8>) -> Option<Result<(), Fault>> {
    let mut waited = false;
    loop {
        match body.next().now_or_never() {
            None if waited => return None,
            None => waited = true,
            Some(None) => return Some(Ok(())),
            Some(Some(Err(fault))) => return Some(Err(fault)),
            Some(Some(Ok(bytes))) => {
                waited = false;
                got.extend_from_slice(&bytes);
            }
        }
    }
}

fn cut() -> Fault {
    Fault::new(Kind::Cut, "cut")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the chunks, the span and the moment of a failure: a reader gets the right bytes of its span and never
    /// the object's tail before the verdict, ends cleanly only when it has all of them, and errs with the flight.
    #[test]
    fn readers_hold_the_tail_and_never_end_a_cut_body_cleanly(
        chunks in prop::collection::vec(0_usize..50_000, 1..12),
        length_known in any::<bool>(),
        fails_after in prop::option::of(0_usize..12),
        span in prop::option::of((0_u64..400_000, 0_u64..400_000)),
    ) {
        let data = pattern(chunks.iter().sum());
        let size = data.len() as u64;
        let span = span.map(|(start, more)| start..start + more);
        let asked = span.clone().unwrap_or(0..u64::MAX);
        let expected = slice(&data, &asked);
        let flight = hand();
        let mut body = flight.ticket.body(span);
        let mut got = Vec::new();
        let mut end = drain(&mut body, &mut got);
        flight.open(length_known.then_some(size));
        let mut at = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            if fails_after == Some(number) {
                flight.end(Stage::Failed(cut()));
            } else {
                flight.write(&data[at..at + chunk]);
                at += chunk;
            }
            end = end.or_else(|| drain(&mut body, &mut got));
            prop_assert!(expected.starts_with(&got));
            if !got.is_empty() {
                let seen = asked.start + got.len() as u64;
                let begun = if length_known { size } else { at as u64 };
                prop_assert!(seen + TAIL <= begun);
            }
            if fails_after == Some(number) {
                let complete = got.len() as u64 == asked.end - asked.start;
                prop_assert_eq!(matches!(end, Some(Ok(()))), complete);
                prop_assert_eq!(matches!(&end, Some(Err(fault)) if fault.kind == Kind::Cut), !complete);
                return Ok(());
            }
        }
        flight.verify();
        end = end.or_else(|| drain(&mut body, &mut got));
        if asked.start > size && asked.end > asked.start {
            prop_assert!(matches!(end, Some(Err(fault)) if fault.kind == Kind::RangeNotSatisfiable));
        } else {
            prop_assert!(matches!(end, Some(Ok(()))));
            prop_assert_eq!(got, expected);
        }
    }
}

fn slice<'d>(data: &'d [u8], span: &Range<u64>) -> &'d [u8] {
    let clamp = |at: u64| usize::try_from(at.min(data.len() as u64)).unwrap();
    &data[clamp(span.start)..clamp(span.end)]
}

#[actix::test]
async fn a_crash_is_told_to_readers_and_waiters_as_worth_another_try() {
    let flight = hand();
    flight.open(Some(200_000));
    flight.write(&pattern(150_000));
    let ticket = flight.ticket.clone();
    assert!(!ticket.is_over());
    drop(flight.sender);
    assert!(ticket.is_over());
    let mut got = Vec::new();
    let faults = [
        drain(&mut ticket.body(None), &mut got).unwrap().unwrap_err(),
        ticket.verified().await.err().unwrap(),
        ticket.settled().await.err().unwrap(),
    ];
    assert_eq!(got.len(), 200_000 - 64 * 1024, "what was visible came");
    for fault in faults {
        assert_eq!((fault.kind, fault.retry), (Kind::Internal, Retry::Now));
    }
}

#[actix::test]
async fn a_crash_while_storing_costs_readers_nothing() {
    let flight = hand();
    flight.open(None);
    flight.write(&pattern(1000));
    flight.verify();
    let ticket = flight.ticket.clone();
    drop(flight.sender);
    let mut got = Vec::new();
    drain(&mut ticket.body(None), &mut got).unwrap().unwrap();
    assert_eq!(got, pattern(1000));
    assert_eq!(ticket.verified().await.unwrap().size, 1000);
    assert_eq!(ticket.settled().await.err().unwrap().retry, Retry::Now);
}

#[actix::test]
async fn a_head_waits_only_while_its_status_is_in_doubt() {
    let flight = hand();
    assert!(flight.ticket.opening().now_or_never().is_none(), "no head yet");
    flight.open(Some(TAIL));
    assert!(
        flight.ticket.opening().now_or_never().is_none(),
        "all of it is in the tail"
    );
    flight.verify();
    assert!(flight.ticket.opening().now_or_never().unwrap().is_ok());

    let flight = hand();
    flight.open(Some(TAIL + 1));
    let opened = flight.ticket.opening().now_or_never().unwrap().unwrap();
    assert_eq!((opened.length, opened.written), (Some(TAIL + 1), 0));

    let flight = hand();
    flight.open(None);
    flight.write(&pattern(64 * 1024 - 1));
    assert!(
        flight.ticket.opening().now_or_never().is_none(),
        "may end within the tail"
    );
    flight.write(b"x");
    assert!(flight.ticket.opening().now_or_never().unwrap().is_ok());
}

#[actix::test]
async fn a_short_body_that_turns_out_wrong_is_a_fault_from_the_start() {
    let flight = hand();
    flight.open(Some(10));
    let ticket = flight.ticket.clone();
    let (opened, ()) = tokio::join!(ticket.opening(), async { flight.end(Stage::Failed(cut())) });
    assert_eq!(opened.err().unwrap().kind, Kind::Cut);
}

#[actix::test]
async fn no_head_is_held_longer_than_its_limit() {
    tokio::time::pause();
    let flight = hand();
    flight.open(Some(10));
    let begun = tokio::time::Instant::now();
    let opened = soon(flight.ticket.opening()).await.unwrap();
    assert!(matches!(opened.stage, Stage::Filling));
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[actix::test]
async fn a_confirmed_copy_has_no_body_here() {
    let flight = hand();
    flight.end(Stage::Same(entry("a")));
    let opened = flight.ticket.opening().await.unwrap();
    assert!(opened.head.is_none() && matches!(opened.stage, Stage::Same(_)));
    assert!(matches!(
        flight.ticket.settled().await.unwrap().stage,
        Stage::Same(_)
    ));
    let mut got = Vec::new();
    let fault = drain(&mut flight.ticket.body(None), &mut got)
        .unwrap()
        .unwrap_err();
    assert_eq!((fault.kind, fault.retry), (Kind::Internal, Retry::Never));
    assert_eq!(flight.ticket.verified().await.err().unwrap().kind, Kind::Internal);
}

#[actix::test]
async fn a_reader_that_catches_up_lets_others_have_their_turn() {
    let hand = hand();
    let data = pattern(1_000_000);
    hand.open(Some(1_000_000));
    hand.write(&data);
    hand.verify();
    let (mut body, mut got, mut turns) = (hand.ticket.body(None), 0, 0);
    while got < data.len() {
        match body.next().now_or_never() {
            Some(chunk) => got += chunk.unwrap().unwrap().len(),
            None => turns += 1,
        }
    }
    assert!(turns >= 6, "one turn in 128 KiB or so, not {turns} in all");
}

#[actix::test]
async fn large_spools_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let data = pattern(700_000);
    let (sender, watched) = watch::channel(Progress::new());
    let spool = Arc::new(Spools::with_memory(dir.path().into(), 1000).spool());
    let ticket = Ticket::new(watched, Arc::clone(&spool), Duration::ZERO);
    let flight = Hand {
        sender,
        spool,
        ticket,
    };
    flight.open(None);
    flight.write(&data);
    flight.verify();
    let chunks: Vec<Bytes> = flight
        .ticket
        .body(Some(5..650_000))
        .map(Result::unwrap)
        .collect()
        .await;
    assert_eq!(chunks.concat(), data[5..650_000]);
}
