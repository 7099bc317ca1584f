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
    /// Since when a head is arriving, and how many requests had begun by then.
    arriving: Option<(Instant, u64)>,
    /// Wakes the connection to look at its deadline. It is set anew only when it has gone off: most heads are there long
    /// before.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<T> Timed<T> {
    /// Gives heads at most `limit` from their first byte to their last; `None` gives them all the time.
    pub(super) fn new(io: T, limit: Option<Duration>) -> Self {
        Self {
            io,
            traffic: Traffic::default(),
            limit,
            arriving: None,
            alarm: None,
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
        let (Some(limit), Some((since, begun))) = (self.limit, self.arriving) else {
            return Poll::Pending;
        };
        if !self.traffic.is_idle() || self.traffic.begun() != begun {
            self.arriving = None;
            return Poll::Pending;
        }
        let due = since + limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(alarm.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // It was set for a head that came in time.
            alarm.as_mut().reset(due);
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
        if buffer.filled().len() > before && self.arriving.is_none() && self.traffic.is_idle() {
            self.arriving = Some((Instant::now(), self.traffic.begun()));
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
