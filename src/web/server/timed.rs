//! A socket that gives the head of every request its deadline.
//!
//! actix-http limits the head of a connection's first request only: once a later one has begun to arrive, it would
//! wait for the rest for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::traffic::Traffic;

/// A connection with the deadline of the head that is arriving on it.
pub(super) struct Timed<T> {
    io: T,
    traffic: Traffic,
    limit: Option<Duration>,
    /// Runs while a head has begun to arrive and no request runs yet.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> Timed<T> {
    /// Gives heads at most `limit` from their first byte to their last; `None` gives them all the time.
    pub(super) fn new(io: T, limit: Option<Duration>) -> Self {
        Self {
            io,
            traffic: Traffic::default(),
            limit,
            deadline: None,
        }
    }

    /// The connection itself.
    pub(super) fn get(&self) -> &T {
        &self.io
    }

    /// What runs on it, for the requests to write down.
    pub(super) fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    fn check(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.traffic.is_idle() {
            self.deadline = None;
        }
        match &mut self.deadline {
            Some(deadline) => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(late) = self.check(cx) {
            return Poll::Ready(late);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        let arriving = buffer.filled().len() > before && self.traffic.is_idle();
        if let Some(limit) = self.limit.filter(|_| arriving && self.deadline.is_none()) {
            self.deadline = Some(Box::pin(sleep_until(Instant::now() + limit)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
