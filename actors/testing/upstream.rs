//! An upstream whose answers a test makes byte by byte.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::upstream::{Answer, Head, Request, Upstream};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

#[derive(Default)]
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Result<Answer, Fault>>>,
    asked: AtomicUsize,
}

/// The body of an answer under way. Dropped, the body ends.
pub(crate) struct Feed(mpsc::UnboundedSender<Result<Bytes, Fault>>);

impl Feed {
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        self.0.send(Ok(Bytes::copy_from_slice(bytes))).ok();
    }

    pub(crate) fn fail(&self, kind: Kind) {
        self.0.send(Err(Fault::new(kind, "scripted"))).ok();
    }

    /// Whether nobody reads the body any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }
}

impl Scripted {
    /// The next request gets this head, and the body that is fed.
    pub(crate) fn feed(&self, head: Head) -> Feed {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let body: ByteStream = Box::pin(stream::poll_fn(move |cx| receiver.poll_recv(cx)));
        self.answers.lock().unwrap().push_back(Ok(Answer { head, body }));
        Feed(sender)
    }

    /// The next request gets this head and whole body.
    pub(crate) fn give(&self, head: Head, body: &[u8]) {
        self.feed(head).bytes(body);
    }

    /// The next request fails.
    pub(crate) fn refuse(&self, kind: Kind) {
        let fault = Fault::new(kind, "scripted");
        self.answers.lock().unwrap().push_back(Err(fault));
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Upstream for Scripted {
    async fn send(&self, _: Request) -> Result<Answer, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let next = self.answers.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Err(Fault::new(Kind::Unreachable, "no answer was scripted")))
    }
}
