//! Readers: one offset each in the spool of a flight.

use std::ops::Range;
use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::ByteStream;
use artifactapi_store::spool::Spool;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use super::ticket::{bodiless, crashed};
use super::{Progress, Stage};

/// Most bytes of one read. A flight may have hundreds of readers, each with a chunk and a copy of it in the buffer of
/// its connection, so this is small.
const CHUNK: usize = 32 * 1024;
/// Bytes at hand that one reader takes before others on its thread have their turn: a reader that catches up would
/// otherwise keep newcomers from their first byte.
const TURN: usize = 128 * 1024;

/// Reads a spool behind its writer.
pub(super) struct Reader {
    progress: watch::Receiver<Progress>,
    spool: Arc<Spool>,
    at: u64,
    end: u64,
    /// Bytes taken in this turn.
    taken: usize,
}

/// What a reader may do now.
struct View {
    visible: u64,
    whole: bool,
}

impl Reader {
    pub(super) fn new(
        progress: watch::Receiver<Progress>,
        spool: Arc<Spool>,
        span: Option<Range<u64>>,
    ) -> Self {
        let span = span.unwrap_or(0..u64::MAX);
        Self {
            progress,
            spool,
            at: span.start,
            end: span.end,
            taken: 0,
        }
    }

    pub(super) fn stream(self) -> ByteStream {
        Box::pin(stream::try_unfold(self, |mut reader| async move {
            let chunk = reader.next().await?;
            Ok(chunk.map(|chunk| (chunk, reader)))
        }))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while self.at < self.end {
            let view = view(&self.progress.borrow_and_update())?;
            let until = view.visible.min(self.end);
            if self.at < until {
                return self.read(until).await.map(Some);
            }
            if view.whole {
                return self.finish(view.visible);
            }
            // A sender that goes right after its last word leaves that word to be read.
            let gone = self.progress.changed().await.is_err();
            if gone && !settles(&self.progress.borrow()) {
                return Err(crashed());
            }
        }
        Ok(None)
    }

    fn finish(&self, size: u64) -> Result<Option<Bytes>, Fault> {
        if self.at > size {
            let what = format!("the range begins beyond the end of {size} bytes");
            return Err(Fault::client(Kind::RangeNotSatisfiable, what));
        }
        Ok(None)
    }

    async fn read(&mut self, until: u64) -> Result<Bytes, Fault> {
        let max = usize::try_from(until - self.at).map_or(CHUNK, |left| left.min(CHUNK));
        if self.taken >= TURN {
            self.taken = 0;
            tokio::task::yield_now().await;
        }
        if let Some(bytes) = self.spool.latest(self.at, max) {
            self.at += bytes.len() as u64;
            self.taken += bytes.len();
            return Ok(bytes);
        }
        let (spool, at) = (Arc::clone(&self.spool), self.at);
        let read = if spool.in_memory() {
            spool.read_at(at, max)
        } else {
            tokio::task::spawn_blocking(move || spool.read_at(at, max))
                .await
                .map_err(unreadable)?
        };
        let bytes = read.map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(unreadable("fewer bytes than were written"));
        }
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

fn view(now: &Progress) -> Result<View, Fault> {
    if let Stage::Failed(fault) = &now.stage {
        return Err(fault.clone());
    }
    let whole = now.fetched.is_some();
    if now.stage.is_end() && !whole {
        return Err(bodiless());
    }
    Ok(View {
        visible: now.visible(),
        whole,
    })
}

/// Whether a reader can come to its end without the flight saying more.
fn settles(now: &Progress) -> bool {
    now.fetched.is_some() || now.stage.is_end()
}

fn unreadable(cause: impl std::fmt::Display) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the spooled bytes cannot be read", cause)
}
