//! Reading an object: pieces of 256 KiB, each read where blocking is allowed, the first together with the opening.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use artifactapi_core::fault::Fault;
use artifactapi_core::port::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use crate::folder;
use crate::trouble::{blocking, damaged};

/// Bytes read at once.
const PIECE: u64 = 256 << 10;

/// An open object and what is still to be read of it.
pub(super) struct Reading {
    file: Arc<File>,
    rest: Range<u64>,
    /// The first piece, read ahead.
    first: Bytes,
}

impl Reading {
    /// Takes an open file, to read `span` of it or all; `None` if the file ends before. Blocks.
    pub(super) fn begin(file: File, span: Option<Range<u64>>) -> io::Result<Option<Self>> {
        let size = file.metadata()?.len();
        let span = span.unwrap_or(0..size);
        if span.end > size {
            return Ok(None);
        }
        let first = piece(&file, &span)?;
        Ok(Some(Self {
            file: Arc::new(file),
            rest: span.start + first.len() as u64..span.end,
            first,
        }))
    }

    /// The bytes as a stream. One that ends too early ends with a fault.
    pub(super) fn stream(self) -> ByteStream {
        let Self { file, rest, first } = self;
        if rest.is_empty() {
            let only = (!first.is_empty()).then_some(Ok(first));
            return Box::pin(stream::iter(only));
        }
        let rest = stream::try_unfold((file, rest), |(file, rest)| async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let (reading, span) = (Arc::clone(&file), rest.clone());
            let bytes = blocking(move || piece(&reading, &span)).await?;
            if bytes.is_empty() {
                return Err(cut(&rest));
            }
            let rest = rest.start + bytes.len() as u64..rest.end;
            Ok(Some((bytes, (file, rest))))
        });
        let first = (!first.is_empty()).then_some(Ok(first));
        Box::pin(stream::iter(first).chain(rest))
    }
}

/// The next piece of `span`; shorter than it could be only at the end of the file.
fn piece(file: &File, span: &Range<u64>) -> io::Result<Bytes> {
    let want = span.end.saturating_sub(span.start).min(PIECE);
    let want = usize::try_from(want).unwrap_or(0);
    folder::read_at(file, span.start, want).map(Bytes::from)
}

fn cut(rest: &Range<u64>) -> Fault {
    let missing = rest.end.saturating_sub(rest.start);
    damaged(
        "the stored object is shorter than it should be",
        format!("{missing} bytes are missing"),
    )
}
