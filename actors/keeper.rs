//! Keepers: what `actix::Supervisor` does not do. A panic of a kept actor is caught at the poll, so that its mailbox
//! and address survive; it starts again with fresh state after a pause, and too many panics end the process.
//!
//! A keeper knows nothing of its actor. The message that was being handled is lost: its sender sees a closed mailbox.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::{Actor, Addr, AsyncContext as _, Context, Supervised};
use actix_rt::ArbiterHandle;
use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use tokio::time::{Instant, Sleep, sleep};

use crate::board::{Board, Gauge, Worker, WorkerState};
use crate::failpoints::Crashable;
use crate::spawn::{report, spawn_named};

/// More panics than this within [`SPAN`], and the keeper gives up.
const MOST_CRASHES: usize = 5;
/// How long a panic counts.
const SPAN: Duration = Duration::from_secs(10);
/// The first pause is twice this, and each further one twice as long as that before.
const PAUSE: Duration = Duration::from_millis(5);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Called with a worker's name when its keeper gives up.
pub(crate) type GiveUp = Arc<dyn Fn(&str) + Send + Sync>;

/// An actor that is started again after a panic. [`Supervised::restarting`] must leave it with fresh state.
pub(crate) trait Kept: Actor<Context = Context<Self>> + Supervised + Crashable {
    /// What the board calls its sort.
    const KIND: &'static str;
}

/// What all keepers share.
#[derive(Clone)]
pub(crate) struct Nursery {
    pub(crate) board: Board,
    pub(crate) give_up: GiveUp,
}

impl Nursery {
    /// Starts an actor on the calling thread's arbiter.
    pub(crate) fn start<A: Kept>(&self, name: String, queue: Gauge, actor: A) -> Addr<A> {
        let worker = self.board.enrol(name, A::KIND, queue);
        let context = Context::new();
        let address = context.address();
        #[cfg(any(test, feature = "failpoints"))]
        crate::failpoints::arm(&worker, &address);
        let keeper = Keeper::new(context.into_future(actor), worker, self.clone());
        spawn_named(A::KIND, keeper);
        address
    }

    /// Starts an actor on another arbiter.
    pub(crate) async fn start_on<A: Kept>(
        &self,
        arbiter: &ArbiterHandle,
        name: String,
        queue: Gauge,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Result<Addr<A>, Fault> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let nursery = self.clone();
        arbiter.spawn_fn(move || {
            // Nobody waits any more where the caller was cancelled; then the actor retires at once.
            tell.send(nursery.start(name, queue, make())).ok();
        });
        told.await
            .map_err(|gone| Fault::ours(Kind::Internal, "a worker could not be started", gone))
    }
}

struct Keeper<A: Kept> {
    actor: ContextFut<A, Context<A>>,
    worker: Arc<Worker>,
    nursery: Nursery,
    /// The actor panicked and was not restarted yet.
    dirty: bool,
    crashes: VecDeque<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<A: Kept> Unpin for Keeper<A> {}

impl<A: Kept> Keeper<A> {
    fn new(actor: ContextFut<A, Context<A>>, worker: Arc<Worker>, nursery: Nursery) -> Self {
        Self {
            actor,
            worker,
            nursery,
            dirty: false,
            crashes: VecDeque::new(),
            pause: None,
        }
    }

    /// One restart or one poll, with its panic caught. `None` means go on at once; ready, that the actor retired.
    fn step(&mut self, cx: &mut task::Context<'_>) -> Result<Option<Poll<()>>, Box<dyn Any + Send>> {
        if !self.dirty {
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.actor).poll(cx)))?;
            return Ok(Some(polled));
        }
        let alive = catch_unwind(AssertUnwindSafe(|| self.actor.restart()))?;
        if !alive {
            return Ok(Some(Poll::Ready(())));
        }
        self.dirty = false;
        self.worker.restarted();
        Ok(None)
    }

    /// Counts a panic and plans the restart; `true` if there were too many.
    fn gives_up(&mut self, payload: &(dyn Any + Send)) -> bool {
        let now = Instant::now();
        self.crashes.retain(|crash| now.duration_since(*crash) < SPAN);
        self.crashes.push_back(now);
        let too_many = self.crashes.len() > MOST_CRASHES;
        let state = if too_many {
            WorkerState::GaveUp
        } else {
            WorkerState::Restarting
        };
        self.worker.crashed(report(self.worker.name(), payload), state);
        self.dirty = true;
        self.pause = Some(Box::pin(sleep(pause(self.crashes.len()))));
        too_many
    }
}

impl<A: Kept> Future for Keeper<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.step(cx) {
                Ok(None) => {}
                Ok(Some(Poll::Pending)) => return Poll::Pending,
                Ok(Some(Poll::Ready(()))) => {
                    self.nursery.board.strike(&self.worker);
                    return Poll::Ready(());
                }
                Err(payload) if self.gives_up(payload.as_ref()) => {
                    (self.nursery.give_up)(self.worker.name());
                    return Poll::Ready(());
                }
                Err(_reported) => {}
            }
        }
    }
}

/// The pause before the restart after the `crashes`-th panic in a row.
fn pause(crashes: usize) -> Duration {
    let doublings = u32::try_from(crashes).unwrap_or(u32::MAX);
    PAUSE
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
