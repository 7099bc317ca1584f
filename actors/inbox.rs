//! Inboxes: bounded channels into a kept actor for those who cannot wait. What does not fit is dropped and counted.
//!
//! The receiver outlives a panic of its actor, which takes it up again from `started`.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::fut::wrap_stream;
use actix::{Actor, ActorStreamExt as _, AsyncContext, Context};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;

use crate::board::Gauge;

/// Where things are put.
pub(crate) struct Slot<T> {
    sender: mpsc::Sender<T>,
    dropped: Arc<AtomicU64>,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            dropped: Arc::clone(&self.dropped),
        }
    }
}

impl<T: Send + 'static> Slot<T> {
    /// Puts a thing in, or drops and counts it.
    pub(crate) fn put(&self, thing: T) {
        if self.sender.try_send(thing).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts things that were lost before they could be put in.
    pub(crate) fn lose(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Says how many things wait; does not keep the inbox open.
    pub(crate) fn gauge(&self) -> Gauge {
        gauge(&self.sender)
    }
}

/// How many things wait in a channel.
pub(crate) fn waiting<T>(sender: &mpsc::Sender<T>) -> usize {
    sender.max_capacity().saturating_sub(sender.capacity())
}

/// Says how many things wait in a channel; does not keep it open.
pub(crate) fn gauge<T: Send + 'static>(sender: &mpsc::Sender<T>) -> Gauge {
    let sender = sender.downgrade();
    Box::new(move || sender.upgrade().map_or(0, |sender| waiting(&sender)))
}

/// Where things are taken from.
pub(crate) struct Inbox<T> {
    receiver: Arc<Mutex<mpsc::Receiver<T>>>,
    dropped: Arc<AtomicU64>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self {
            receiver: Arc::clone(&self.receiver),
            dropped: Arc::clone(&self.dropped),
        }
    }
}

impl<T: 'static> Inbox<T> {
    /// The next thing that waits.
    pub(crate) fn take(&self) -> Option<T> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.try_recv().ok()
    }

    /// Waits for the next thing; `None` when nobody can put one in any more.
    pub(crate) async fn next(&self) -> Option<T> {
        let next = poll_fn(|cx| {
            let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.poll_recv(cx)
        });
        pin!(next).next().await
    }

    /// How many things were dropped since the last call.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Hands everything that comes to the actor, for as long as this run of it lasts.
    pub(crate) fn feed<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>, apply: fn(&mut A, T)) {
        let receiver = Arc::clone(&self.receiver);
        let arrivals = poll_fn(move |cx| {
            let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.poll_recv(cx)
        });
        ctx.spawn(
            wrap_stream(arrivals)
                .map(move |thing, actor: &mut A, _ctx| apply(actor, thing))
                .finish(),
        );
    }
}

/// A way into an actor for at most `capacity` waiting things.
pub(crate) fn inbox<T>(capacity: usize) -> (Slot<T>, Inbox<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let slot = Slot {
        sender,
        dropped: Arc::clone(&dropped),
    };
    let inbox = Inbox {
        receiver: Arc::new(Mutex::new(receiver)),
        dropped,
    };
    (slot, inbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_once() {
        let (slot, inbox) = inbox(2);
        let waiting = slot.gauge();
        for thing in 0..5 {
            slot.put(thing);
        }
        assert_eq!(waiting(), 2);
        assert_eq!((inbox.dropped(), inbox.dropped()), (3, 0));
        assert_eq!(
            (inbox.take(), inbox.take(), inbox.take()),
            (Some(0), Some(1), None)
        );
        drop(slot);
        assert_eq!(waiting(), 0);
    }
}
