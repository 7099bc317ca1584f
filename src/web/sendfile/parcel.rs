//! What a socket sends by itself: a portion of a file, or bytes in memory.
//!
//! The worker does not wait for the disk: before a part of a file is sent it is looked up in the page cache, by samples,
//! and read into it on the blocking pool where it is not there.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::web::Bytes;
use artifactapi_engine::exchange::Portion;
use rustix::fs::Advice;
use rustix::io::ReadWriteFlags;
use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Bytes sent before other connections of the worker have their turn.
const TURN: u64 = 4 << 20;
/// Bytes that are read at once where they are not in the page cache.
const WINDOW: u64 = 1 << 20;
/// Between two bytes that are looked up, for a turn at once. Files come into the cache and leave it in long runs; where
/// what lies between has been dropped the worker waits for the disk after all, which is no error.
const STEP: usize = 512 << 10;
/// Bytes that the kernel is asked to read behind a window that was not there.
const AHEAD: u64 = 4 << 20;
/// Bytes read at once on the blocking pool.
const PIECE: usize = 256 << 10;

/// See the module.
pub(crate) enum Parcel {
    /// Bytes in memory, those that are left.
    Memory(Bytes),
    /// Bytes of a file.
    File {
        /// The file, and what is left of it.
        portion: Box<Portion>,
        /// Up to here the file was in the page cache when it was looked up.
        warm: u64,
        /// Reads up to the given place.
        warming: Option<(u64, JoinHandle<io::Result<()>>)>,
        /// Whether the socket waits for full segments, as it does from the head to the end of the file: those that each
        /// `sendfile(2)` would end with cost the more the faster the way is.
        corked: bool,
    },
}

impl Parcel {
    /// A portion of a file.
    pub(crate) fn file(portion: Box<Portion>) -> Self {
        Self::File {
            warm: portion.rest().start,
            portion,
            warming: None,
            corked: false,
        }
    }

    /// Bytes that are left.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { portion, .. } => {
                let rest = portion.rest();
                rest.end.saturating_sub(rest.start)
            }
        }
    }

    /// Writes the head of its answer, of which so many bytes have gone; bytes in memory go with it.
    pub(super) fn write_head(&mut self, socket: &TcpStream, head: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory(bytes) => {
                let written = socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(bytes)])?;
                let beyond = written.saturating_sub(head.len());
                drop(bytes.split_to(beyond.min(bytes.len())));
                Ok(written.min(head.len()))
            }
            Self::File { corked, .. } => {
                cork(socket, corked, true)?;
                socket.try_write(head)
            }
        }
    }

    /// Sends what the socket takes, for one turn at most. A file that ends too early is an error, so that the connection
    /// ends short of the body's end.
    pub(super) fn poll_send(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut turn = TURN;
        while self.len() > 0 {
            if turn == 0 {
                return yielded(cx);
            }
            let most = ready!(self.poll_ready(cx))?.min(turn);
            match self.send(socket, most) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(sent) => turn = turn.saturating_sub(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if let Self::File { corked, .. } = self {
            cork(socket, corked, false)?;
        }
        Poll::Ready(Ok(()))
    }

    /// How many bytes can be sent without waiting for the disk.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let Self::File {
            portion,
            warm,
            warming,
            ..
        } = self
        else {
            return Poll::Ready(Ok(u64::MAX));
        };
        let rest = portion.rest();
        if let Some((until, reading)) = warming {
            let read = ready!(std::pin::Pin::new(reading).poll(cx));
            *warm = *until;
            *warming = None;
            read.map_err(io::Error::other)??;
        }
        if *warm <= rest.start {
            let next = |most| rest.start..rest.end.min(rest.start + most);
            let turn = next(TURN);
            if is_cached(portion.file(), turn.clone()) {
                *warm = turn.end;
            } else {
                let (file, window) = (Arc::clone(portion.file()), next(WINDOW));
                let until = window.end;
                let reading = tokio::task::spawn_blocking(move || read_ahead(&file, window));
                *warming = Some((until, reading));
                return self.poll_ready(cx);
            }
        }
        Poll::Ready(Ok(warm.saturating_sub(rest.start)))
    }

    /// Sends once.
    fn send(&mut self, socket: &TcpStream, most: u64) -> io::Result<u64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match self {
            Self::Memory(bytes) => {
                let sent = socket.try_write(bytes.get(..most.min(bytes.len())).unwrap_or_default())?;
                drop(bytes.split_to(sent.min(bytes.len())));
                Ok(sent as u64)
            }
            Self::File { portion, .. } => {
                let mut at = portion.rest().start;
                let call = || {
                    rustix::fs::sendfile(socket, portion.file(), Some(&mut at), most).map_err(io::Error::from)
                };
                let sent = socket.try_io(Interest::WRITABLE, call)? as u64;
                portion.advance(sent);
                Ok(sent)
            }
        }
    }
}

/// Ends a turn: the task is woken after all others have had theirs, and after what sockets have to say was heard.
fn yielded<T>(cx: &mut Context<'_>) -> Poll<T> {
    // It hands on its waker when it is first asked, and is not needed afterwards.
    let handed_on = pin!(tokio::task::yield_now()).poll(cx);
    debug_assert!(handed_on.is_pending(), "it yields once");
    Poll::Pending
}

/// Lets the socket send full segments only, or whatever there is.
fn cork(socket: &TcpStream, corked: &mut bool, on: bool) -> io::Result<()> {
    if *corked != on {
        sockopt::set_tcp_cork(socket, on)?;
        *corked = on;
    }
    Ok(())
}

/// Whether a part of a file is in the page cache, by a look at a byte here and there. File systems that cannot tell say no.
fn is_cached(file: &File, span: Range<u64>) -> bool {
    span.step_by(STEP).all(|at| {
        let mut byte = [0];
        let into = &mut [IoSliceMut::new(&mut byte)];
        rustix::io::preadv2(file, into, at, ReadWriteFlags::NOWAIT).is_ok()
    })
}

/// Brings a part of a file into the page cache, and begins with what follows. Blocks.
fn read_ahead(file: &File, span: Range<u64>) -> io::Result<()> {
    let ahead = NonZeroU64::new(span.end - span.start + AHEAD);
    // Advice only: reading is what counts.
    rustix::fs::fadvise(file, span.start, ahead, Advice::WillNeed).ok();
    let mut piece = vec![0; PIECE];
    let mut at = span.start;
    while at < span.end {
        match file.read_at(&mut piece, at)? {
            0 => break,
            read => at += read as u64,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_just_written_is_found_in_the_cache_and_reading_ahead_ends_at_the_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 3 << 20]).unwrap();
        read_ahead(&file, 0..u64::from(u32::MAX)).unwrap();
        assert!(is_cached(&file, 0..3 << 20));
    }
}
