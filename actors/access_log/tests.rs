use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use artifactapi_core::fault::Kind;
use artifactapi_core::port::Result;
use artifactapi_core::port::catalog::{Journal, StatRow, Touch};
use artifactapi_core::{Fault, Key, RepoId, Time};
use async_trait::async_trait;

use super::*;
use crate::board::Board;
use crate::inbox::gauge;
use crate::testing::{eventually, nursery};

/// A journal in memory that can be made to refuse or to panic.
#[derive(Default)]
struct Book {
    batches: Mutex<Vec<(Vec<LogRow>, Vec<Touch>)>>,
    refuses: AtomicBool,
    panics: AtomicBool,
    tries: AtomicU64,
}

impl Book {
    fn rows(&self) -> usize {
        self.batches
            .lock()
            .unwrap()
            .iter()
            .map(|(rows, _)| rows.len())
            .sum()
    }
}

#[async_trait]
impl Journal for Book {
    async fn record(&self, rows: &[LogRow], touches: &[Touch]) -> Result<()> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the catalog panics");
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Fault::ours(Kind::StoreUnavailable, "away", "scripted"));
        }
        self.batches
            .lock()
            .unwrap()
            .push((rows.to_vec(), touches.to_vec()));
        Ok(())
    }

    async fn statistics(&self, _: Time) -> Result<Vec<StatRow>> {
        Ok(Vec::new())
    }

    async fn prune_log(&self, _: Time) -> Result<u64> {
        Ok(0)
    }

    async fn setting(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn settle(&self, _: &str, value: &str) -> Result<String> {
        Ok(value.to_owned())
    }
}

struct Rig {
    book: Arc<Book>,
    log: AccessLog,
    board: Board,
}

fn rig(capacity: usize) -> Rig {
    // Pauses and limits take no time, and nothing happens before everybody waits.
    tokio::time::pause();
    let (nursery, _) = nursery();
    let (book, dropped) = (Arc::new(Book::default()), Arc::new(AtomicU64::new(0)));
    let (sender, receiver) = mpsc::channel(capacity);
    let writer = Writer::new(receiver, book.clone(), Arc::clone(&dropped));
    let writer = nursery.start("access-log".into(), gauge(&sender), writer);
    Rig {
        book,
        log: AccessLog::new(sender, dropped, writer),
        board: nursery.board,
    }
}

fn row(at: i64) -> LogRow {
    LogRow {
        at: Time(at),
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

fn used(path: &str) -> Arc<EntryKey> {
    EntryKey::new(RepoId(uuid::Uuid::nil()), Key::new(path).unwrap()).into()
}

#[actix::test]
async fn rows_come_in_batches_and_uses_are_added_up_per_entry() {
    let rig = rig(WAITING);
    for at in 0..9000 {
        rig.log
            .push(row(at), Some(used(if at % 2 == 0 { "even" } else { "odd" })));
    }
    rig.log.push(row(7), None);
    rig.log.flush().await;
    let batches = rig.book.batches.lock().unwrap();
    let sizes: Vec<_> = batches.iter().map(|(rows, _)| rows.len()).collect();
    assert_eq!(sizes, [4000, 4000, 1001]);
    let touches: Vec<_> = batches[0]
        .1
        .iter()
        .map(|touch| (touch.id.key.as_str(), touch.at.0, touch.hits))
        .collect();
    assert_eq!(touches, [("even", 3998, 2000), ("odd", 3999, 2000)]);
}

#[actix::test]
async fn a_row_does_not_wait_long_for_others() {
    let rig = rig(WAITING);
    rig.log.push(row(1), None);
    eventually(|| rig.book.rows() == 1).await;
}

#[actix::test]
async fn what_does_not_fit_is_dropped_and_counted() {
    let rig = rig(10);
    for at in 0..25 {
        rig.log.push(row(at), None);
    }
    assert_eq!(rig.log.dropped(), 15);
    assert_eq!(rig.board.workers().remove(0).queue, 10);
    rig.log.flush().await;
    assert_eq!((rig.book.rows(), rig.log.dropped()), (10, 15));
}

#[actix::test]
async fn a_catalog_that_is_away_for_a_while_costs_no_row() {
    let rig = rig(WAITING);
    rig.book.refuses.store(true, Ordering::SeqCst);
    for at in 0..700 {
        rig.log.push(row(at), Some(used("a")));
    }
    rig.log.flush().await;
    assert!(rig.book.tries.load(Ordering::SeqCst) >= 1);
    assert_eq!((rig.book.rows(), rig.log.dropped()), (0, 0));
    rig.book.refuses.store(false, Ordering::SeqCst);
    eventually(|| rig.book.rows() == 700).await;
    let hits: u64 = rig
        .book
        .batches
        .lock()
        .unwrap()
        .iter()
        .flat_map(|(_, touches)| touches)
        .map(|t| t.hits)
        .sum();
    assert_eq!((hits, rig.log.dropped()), (700, 0));
}

#[actix::test]
async fn a_catalog_that_never_takes_them_costs_rows_and_no_memory() {
    let rig = rig(1000);
    rig.book.refuses.store(true, Ordering::SeqCst);
    for at in 0..5000 {
        rig.log.push(row(at), None);
    }
    assert_eq!(rig.log.dropped(), 4000);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(rig.log.dropped(), 5000);
    assert_eq!(rig.board.workers().remove(0).queue, 0);
}

#[actix::test]
async fn rows_survive_a_panic_of_the_worker() {
    let rig = rig(WAITING);
    for at in 0..30 {
        rig.log.push(row(at), None);
    }
    // The worker has taken them up, and waits for more.
    eventually(|| rig.board.workers().remove(0).queue == 0).await;
    assert!(rig.board.crash("access-log").await);
    for at in 0..10 {
        rig.log.push(row(at), None);
    }
    rig.log.flush().await;
    assert_eq!((rig.book.rows(), rig.log.dropped()), (40, 0));
    assert_eq!(rig.board.workers().remove(0).restarts, 1);
}

#[actix::test]
async fn rows_that_make_the_catalog_panic_are_counted_and_never_come_again() {
    let rig = rig(WAITING);
    rig.book.panics.store(true, Ordering::SeqCst);
    rig.log.push(row(1), None);
    eventually(|| rig.log.dropped() == 1).await;
    rig.log.push(row(2), None);
    rig.log.flush().await;
    assert_eq!((rig.book.rows(), rig.log.dropped()), (1, 1));
}
