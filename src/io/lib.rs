//! The runtime that owns every pooled socket: to upstreams, databases and object stores.
//!
//! A pooled connection is driven by the runtime that opened it. If that were a fetch arbiter, one busy arbiter would
//! stall the requests of all others; so futures and streams that use such a pool are polled inside the handle of one
//! small runtime of their own, wherever their callers live.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use futures_core::Stream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Threads that drive the sockets.
const WORKERS: usize = 2;

/// The runtime, shared by all pools and by every body that still streams.
#[derive(Clone, Debug)]
pub struct Io(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A runtime must not wait for its threads where it may be dropped: inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Io {
    /// Starts the threads.
    pub fn start() -> Result<Self, Fault> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("sockets")
            .enable_all()
            .build()
            .map_err(|error| Fault::ours(Kind::Internal, "no threads for connections", error))?;
        Ok(Self(Arc::new(Owned {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })))
    }

    /// Gives work to the runtime's own threads, so that it goes on without its caller. A crash of the work is told by
    /// the handle.
    pub fn spawn<T>(&self, work: T) -> JoinHandle<T::Output>
    where
        T: Future<Output: Send + 'static> + Send + 'static,
    {
        self.0.handle.spawn(work)
    }

    /// Makes `inner`, a future or a stream, run inside the runtime's context.
    pub fn enter<T>(&self, inner: T) -> Entered<T> {
        Entered {
            inner: Some(Box::pin(inner)),
            io: self.clone(),
        }
    }
}

/// A future or stream that is polled, and dropped, inside the runtime's context.
#[derive(Debug)]
pub struct Entered<T> {
    inner: Option<Pin<Box<T>>>,
    io: Io,
}

impl<T: Future> Future for Entered<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let this = self.get_mut();
        let _context = this.io.0.handle.enter();
        match &mut this.inner {
            Some(inner) => inner.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<T: Stream> Stream for Entered<T> {
    type Item = T::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T::Item>> {
        let this = self.get_mut();
        let _context = this.io.0.handle.enter();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled = inner.as_mut().poll_next(cx);
        if matches!(polled, Poll::Ready(None)) {
            this.inner = None;
        }
        polled
    }
}

impl<T> Drop for Entered<T> {
    fn drop(&mut self) {
        // Connections return to their pool when dropped, which may spawn.
        let _context = self.io.0.handle.enter();
        self.inner = None;
    }
}
