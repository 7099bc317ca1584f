//! The pump: batches of a body into spool, hashers and seal, off the arbiter where they are large.
//!
//! Nothing is read from upstream while a batch is written, so memory stays at one batch and upstream is slowed to
//! what the disk takes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::digest::{Digest, Digests, Hasher};
use artifactapi_core::fault::Kind;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::{Seal, Verdict};
use artifactapi_store::spool::Spool;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::Flight;
use super::check::{Expected, Found, too_long};
use crate::flight::{Fetched, Stage};

/// A batch is written when it has so many bytes …
const BATCH: u64 = 256 * 1024;
/// … or when its first byte has waited so long.
const LINGER: Duration = Duration::from_millis(5);
/// Batches up to this size, and bodies up to [`BATCH`], are worked on where they are: that takes less time than
/// handing them to another thread.
const SMALL: u64 = 64 * 1024;

impl Flight {
    /// Takes in the body of an answer and checks it.
    pub(super) async fn take(
        &self,
        head: &Arc<Head>,
        body: ByteStream,
        seal: Option<Box<dyn Seal>>,
    ) -> Result<Arc<Fetched>, Fault> {
        let expected = Expected {
            head,
            size: self.order.size,
            digests: &self.order.digests,
        };
        let length = expected.length()?;
        self.progress.send_modify(|now| {
            now.head = Some(Arc::clone(head));
            now.length = length;
            now.stage = Stage::Filling;
        });
        let sink = Sink {
            spool: Arc::clone(&self.spool),
            hasher: Hasher::new(self.order.digests.iter().map(Digest::alg)),
            seal,
            written: 0,
        };
        let sink = self.pump(body, sink, length).await?;
        let (size, (digests, verdict)) = (sink.written, sink.finish().await?);
        let proven = expected.judge(&Found {
            size,
            digests: &digests,
            verdict,
        })?;
        Ok(Arc::new(Fetched {
            head: Arc::clone(head),
            spool: Arc::clone(&self.spool),
            size,
            digests,
            proven,
        }))
    }

    async fn pump(&self, mut body: ByteStream, mut sink: Sink, length: Option<u64>) -> Result<Sink, Fault> {
        loop {
            let batch = next_batch(&mut body).await?;
            if let Some(length) = length.filter(|length| sink.written + batch.size > *length) {
                return Err(too_long(length));
            }
            if batch.size > 0 {
                sink = sink.write(batch.chunks, batch.size).await?;
                self.progress.send_modify(|now| now.written = sink.written);
            }
            if batch.last {
                return Ok(sink);
            }
        }
    }
}

struct Batch {
    chunks: Vec<Bytes>,
    size: u64,
    /// The body ended with it.
    last: bool,
}

/// Waits for bytes, and a little for more.
async fn next_batch(body: &mut ByteStream) -> Result<Batch, Fault> {
    let mut batch = Batch {
        chunks: Vec::new(),
        size: 0,
        last: false,
    };
    let mut next = body.next().await;
    let deadline = Instant::now() + LINGER;
    while let Some(chunk) = next {
        let chunk = chunk?;
        batch.size += chunk.len() as u64;
        batch.chunks.push(chunk);
        if batch.size >= BATCH {
            return Ok(batch);
        }
        match timeout_at(deadline, body.next()).await {
            Ok(more) => next = more,
            Err(_elapsed) => return Ok(batch),
        }
    }
    batch.last = true;
    Ok(batch)
}

/// Where the bytes go.
struct Sink {
    spool: Arc<Spool>,
    hasher: Hasher,
    seal: Option<Box<dyn Seal>>,
    written: u64,
}

impl Sink {
    async fn write(mut self, chunks: Vec<Bytes>, size: u64) -> Result<Self, Fault> {
        let is_small = size <= SMALL && self.written + size <= BATCH;
        let written = if is_small {
            self.take_in(&chunks).map(|()| self)
        } else {
            blocking(move || self.take_in(&chunks).map(|()| self)).await?
        };
        written.map_err(|error| Fault::ours(Kind::StoreUnavailable, "the bytes cannot be spooled", error))
    }

    fn take_in(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.hasher.update(chunk);
            if let Some(seal) = &mut self.seal {
                seal.update(chunk);
            }
            self.written = self.spool.append(chunk)?;
        }
        Ok(())
    }

    async fn finish(self) -> Result<(Digests, Verdict), Fault> {
        let (hasher, seal) = (self.hasher, self.seal);
        let judge = move || (hasher.finish(), seal.map_or(Verdict::Unknown, Seal::finish));
        if self.written <= BATCH {
            Ok(judge())
        } else {
            blocking(judge).await
        }
    }
}

/// Runs work on the blocking pool; its panic is a fault of this flight.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::ours(Kind::Internal, "the fetch stopped unexpectedly", error))
}
