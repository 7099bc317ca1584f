//! Traffic of one connection: whether requests are running on it. Between requests a head must come quickly; while
//! one runs, other deadlines hold. The middleware writes this down, the socket reads it.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// The requests of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Rc<Count>);

#[derive(Debug, Default)]
struct Count {
    running: Cell<usize>,
    begun: Cell<u64>,
}

impl Traffic {
    /// Whether nothing runs: what arrives belongs to the head of the next request.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.running.get() == 0
    }

    /// How many requests have begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.0.begun.get()
    }

    /// A request begins; it ends when the result is dropped.
    pub(crate) fn begin(&self) -> Busy {
        self.0.running.set(self.0.running.get() + 1);
        self.0.begun.set(self.0.begun.get() + 1);
        Busy(Self::clone(self))
    }
}

/// A running request.
#[derive(Debug)]
pub(crate) struct Busy(Traffic);

impl Drop for Busy {
    fn drop(&mut self) {
        let running = &self.0.0.running;
        running.set(running.get().saturating_sub(1));
    }
}

/// A body that keeps its request running until its last byte is handed over.
pub(crate) struct Watched {
    pub(crate) body: BoxBody,
    pub(crate) _busy: Busy,
}

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_again_when_every_body_is_gone() {
        let traffic = Traffic::default();
        let (one, two) = (traffic.begin(), traffic.begin());
        let body = Watched {
            body: BoxBody::new("x"),
            _busy: one,
        };
        assert_eq!(body.size(), BodySize::Sized(1));
        drop(two);
        assert!(!traffic.is_idle());
        drop(body);
        assert!(traffic.is_idle());
    }
}
