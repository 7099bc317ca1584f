//! Accounts: each request ends as one row, told to log and observer when its last byte has gone or its client left.

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
    pub(crate) touch: Option<EntryKey>,
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
        Box::pin(Counted {
            stream,
            sent: 0,
            account: Some(self),
        })
    }
}

struct Counted {
    stream: ByteStream,
    sent: u64,
    account: Option<Account>,
}

impl Stream for Counted {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            self.sent += chunk.len() as u64;
        }
        next
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(account) = self.account.take() {
            account.close(self.sent);
        }
    }
}
