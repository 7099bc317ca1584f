//! Reading an object: one answer, passed on piece by piece and counted.

use std::sync::Arc;
use std::time::Duration;

use ::s3::error::S3Error;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::{ByteStream, ReadSeek};
use artifactapi_io::Io;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::stream;
use tokio::time::timeout;

use super::trouble::{Reason, Trouble};
use super::wire::Answer;
use crate::spool::{Spool, Spools};
use crate::trouble::blocking;

/// Bytes gathered before they are spooled.
const GATHER: usize = 256 << 10;

/// The length that an answer declares for its body.
pub(super) fn length(answer: &Answer) -> Result<u64, Trouble> {
    let declared = answer.headers().get("content-length");
    declared
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| Trouble::new(Reason::Stranger, "an answer without Content-Length"))
}

/// The body of an answer, which must have `length` bytes. Ends with a fault if it has others or stalls.
pub(super) fn body(io: &Io, answer: Answer, length: u64, idle: Duration) -> ByteStream {
    let pieces = stream::try_unfold((answer, length), move |(mut answer, rest)| async move {
        let piece = match timeout(idle, answer.chunk()).await {
            Ok(piece) => piece.map_err(S3Error::Reqwest).map_err(Trouble::from)?,
            Err(_) => return Err(Trouble::new(Reason::Silent, format!("no bytes for {idle:?}")).into()),
        };
        match piece {
            None if rest == 0 => Ok(None),
            None => Err(uneven(&format!("{rest} bytes are missing"))),
            Some(piece) => {
                let rest = rest.checked_sub(piece.len() as u64);
                let rest = rest.ok_or_else(|| uneven("it is too long"))?;
                Ok(Some((piece, (answer, rest))))
            }
        }
    });
    Box::pin(io.enter(pieces))
}

/// No bytes.
pub(super) fn nothing() -> ByteStream {
    Box::pin(stream::empty())
}

/// Spools a body for random access.
pub(super) async fn spooled(mut body: ByteStream, spools: &Spools) -> Result<Box<dyn ReadSeek>, Fault> {
    let spool = Arc::new(spools.spool());
    let mut gathered = BytesMut::new();
    while let Some(piece) = body.try_next().await? {
        gathered.extend_from_slice(&piece);
        if gathered.len() >= GATHER {
            append(&spool, gathered.split().freeze()).await?;
        }
    }
    append(&spool, gathered.freeze()).await?;
    Ok(spool.source())
}

async fn append(spool: &Arc<Spool>, bytes: Bytes) -> Result<(), Fault> {
    let spool = Arc::clone(spool);
    blocking(move || spool.append(&bytes).map(drop)).await
}

fn uneven(cause: &str) -> Fault {
    Trouble::new(Reason::Broken, format!("a body of another length: {cause}")).into()
}
