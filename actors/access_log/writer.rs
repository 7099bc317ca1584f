//! The kept actor behind [`AccessLog`](super::AccessLog), and the batches it writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext as _, Context, Supervised};
use artifactapi_core::Fault;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::port::catalog::{Journal, LogRow, Touch};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::sleep;

use crate::keeper::Kept;

/// Rows written at once.
const BATCH: usize = 4000;
/// A row waits no longer for others. Meanwhile nobody listens at the channel, so that pushing wakes nobody.
const LINGER: Duration = Duration::from_millis(50);
/// The pause after the first failed write; each is twice as long as that before.
const PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A batch refused so often is dropped; that is after about a minute.
const MOST_TRIES: u32 = 16;

/// What comes through the channel.
pub(crate) enum Item {
    /// A request, and the entry it used.
    Row(LogRow, Option<Arc<EntryKey>>),
    /// Asks for everything before it to be written.
    Flush(oneshot::Sender<()>),
}

/// Writes rows until the process ends.
pub(crate) struct Writer {
    desk: Arc<Mutex<Desk>>,
}

impl Writer {
    pub(crate) fn new(
        receiver: mpsc::Receiver<Item>,
        journal: Arc<dyn Journal + Send + Sync>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self {
            desk: Arc::new(Mutex::new(Desk {
                receiver,
                journal,
                dropped,
                batch: Batch::default(),
                flushes: Vec::new(),
                tries: 0,
            })),
        }
    }
}

impl Actor for Writer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let desk = Arc::clone(&self.desk);
        ctx.spawn(wrap_future(async move {
            let mut desk = desk.lock().await;
            while desk.fill().await {
                desk.write().await;
            }
        }));
    }
}

impl Supervised for Writer {}

impl Kept for Writer {
    const KIND: &'static str = "access-log";
}

#[derive(Default)]
struct Batch {
    rows: Vec<LogRow>,
    touches: BTreeMap<Arc<EntryKey>, Touch>,
}

impl Batch {
    fn add(&mut self, row: LogRow, used: Option<Arc<EntryKey>>) {
        if let Some(id) = used {
            if let Some(touch) = self.touches.get_mut(&id) {
                touch.at = touch.at.max(row.at);
                touch.hits += 1;
            } else {
                let touch = Touch {
                    id: id.as_ref().clone(),
                    at: row.at,
                    hits: 1,
                };
                self.touches.insert(id, touch);
            }
        }
        self.rows.push(row);
    }
}

/// What outlives a panic of the actor: the channel, and the batch that is being filled.
struct Desk {
    receiver: mpsc::Receiver<Item>,
    journal: Arc<dyn Journal + Send + Sync>,
    dropped: Arc<AtomicU64>,
    batch: Batch,
    flushes: Vec<oneshot::Sender<()>>,
    /// How often the catalog refused this batch.
    tries: u32,
}

impl Desk {
    /// Waits for a batch; `false` when all is written and nobody can push any more.
    async fn fill(&mut self) -> bool {
        if self.batch.rows.is_empty() && self.flushes.is_empty() {
            let Some(item) = self.receiver.recv().await else {
                return false;
            };
            self.add(item);
            self.drain();
            if self.is_open() {
                sleep(LINGER).await;
            }
        }
        self.drain();
        true
    }

    /// Takes in what waits.
    fn drain(&mut self) {
        while self.is_open() {
            let Ok(item) = self.receiver.try_recv() else {
                return;
            };
            self.add(item);
        }
    }

    /// Whether more fits into the batch, and nobody waits for it.
    fn is_open(&self) -> bool {
        self.batch.rows.len() < BATCH && self.flushes.is_empty()
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Row(row, used) => self.batch.add(row, used),
            Item::Flush(done) => self.flushes.push(done),
        }
    }

    /// Tries once to write the batch. One that is refused stays at hand, for as long as that has a purpose.
    async fn write(&mut self) {
        let written = self.record().await;
        for flush in self.flushes.drain(..) {
            // Whoever asked may have gone.
            flush.send(()).ok();
        }
        let Err((batch, fault)) = written else {
            self.tries = 0;
            return;
        };
        log::warn!("the access log cannot be written: {fault:?}");
        self.tries += 1;
        if self.tries < MOST_TRIES {
            self.batch = batch;
            let pause = PAUSE.saturating_mul(2_u32.saturating_pow(self.tries - 1));
            sleep(pause.min(LONGEST_PAUSE)).await;
        } else {
            self.tries = 0;
            drop(Owed::new(batch.rows.len(), &self.dropped));
        }
    }

    /// The batch is away while it is recorded: one that makes the catalog panic must not come again.
    async fn record(&mut self) -> Result<(), (Batch, Fault)> {
        let batch = std::mem::take(&mut self.batch);
        if batch.rows.is_empty() {
            return Ok(());
        }
        let owed = Owed::new(batch.rows.len(), &self.dropped);
        let touches: Vec<_> = batch.touches.values().cloned().collect();
        let recorded = self.journal.record(&batch.rows, &touches).await;
        owed.settle();
        recorded.map_err(|fault| (batch, fault))
    }
}

/// Rows that count as dropped unless somebody settles for them.
struct Owed {
    rows: u64,
    dropped: Arc<AtomicU64>,
}

impl Owed {
    fn new(rows: usize, dropped: &Arc<AtomicU64>) -> Self {
        Self {
            rows: rows as u64,
            dropped: Arc::clone(dropped),
        }
    }

    fn settle(mut self) {
        self.rows = 0;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.dropped.fetch_add(self.rows, Ordering::Relaxed);
    }
}
