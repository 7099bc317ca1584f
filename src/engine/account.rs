//! Accounts: each request ends as one row, told to log and observer when its last byte has gone or its client left.

use std::fs::File;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use artifactapi_actors::handles::AccessLog;
use artifactapi_core::clock::Clock;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::port::catalog::LogRow;
use artifactapi_core::port::{ByteStream, Result};
use bytes::Bytes;
use futures_core::Stream;

/// Told of every finished request; metrics are one.
pub type Observer = Arc<dyn Fn(&LogRow) + Send + Sync>;

/// A row in the making.
pub(crate) struct Account {
    pub(crate) row: LogRow,
    pub(crate) touch: Option<Arc<EntryKey>>,
    pub(crate) log: AccessLog,
    pub(crate) observer: Observer,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Account {
    /// Closes the row with the bytes that were sent.
    pub(crate) fn close(mut self, bytes: u64) {
        self.row.bytes = bytes;
        self.row.at = self.clock.now();
        (self.observer)(&self.row);
        self.log.push(self.row, self.touch);
    }

    /// Counts a stream's bytes and closes the row when the stream is dropped.
    pub(crate) fn follow(self, stream: ByteStream) -> ByteStream {
        let open = Open {
            sent: 0,
            account: Some(self),
        };
        Box::pin(Counted { stream, open })
    }

    /// Closes the row when the portion is dropped.
    pub(crate) fn watch(self, mut portion: Portion) -> Portion {
        portion.open.account = Some(self);
        portion
    }
}

/// Closes its row when it is dropped, with the bytes that were sent until then.
struct Open {
    sent: u64,
    account: Option<Account>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(account) = self.account.take() {
            account.close(self.sent);
        }
    }
}

struct Counted {
    stream: ByteStream,
    open: Open,
}

impl Stream for Counted {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            self.open.sent += chunk.len() as u64;
        }
        next
    }
}

/// What is still to be sent of an open file. The request ends when this is dropped.
pub struct Portion {
    file: Arc<File>,
    rest: Range<u64>,
    open: Open,
}

impl Portion {
    pub(crate) fn new(file: File, span: Range<u64>) -> Self {
        Self {
            file: Arc::new(file),
            rest: span,
            open: Open {
                sent: 0,
                account: None,
            },
        }
    }

    /// The file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Which bytes of it are still to be sent.
    pub fn rest(&self) -> Range<u64> {
        self.rest.clone()
    }

    /// The next so many bytes have been sent.
    pub fn advance(&mut self, bytes: u64) {
        self.rest.start = self.rest.end.min(self.rest.start + bytes);
        self.open.sent += bytes;
    }
}
