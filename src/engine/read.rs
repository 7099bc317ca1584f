//! Reading: a want from a remote or a local, answered.

use std::ops::Range;
use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::Want;
use artifactapi_core::port::ByteStream;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;

use crate::again::{self, Again};
use crate::exchange::{Body, Exchange, Portion, Response};
use crate::fetching::Quest;
use crate::obtain::{Got, Wish};
use crate::respond::{Cut, shown};
use crate::serve::{Served, is_page};
use crate::table::Mount;
use crate::{Shared, flying, pages, redirect, relay};

/// Fewer bytes are not worth a file of their own.
const LEAST_FILE: u64 = 64 << 10;

/// Answers a read.
pub(crate) async fn read(
    shared: &Arc<Shared>,
    mount: &Arc<Mount>,
    x: &Exchange,
    want: &Want,
) -> Result<Served, Fault> {
    if mount.origin.is_none() {
        return hosted(shared, mount, x, want).await;
    }
    let quest = Quest::new(shared, mount, want.clone());
    let wish = Wish {
        revalidate: x.wants_revalidation(),
        only_if_cached: x.only_if_cached(),
    };
    if is_page(want) {
        let (document, outcome) = quest.obtain(wish).await?.document(shared.index_patience).await?;
        return pages::page(shared, mount, x, want, (document, outcome)).await;
    }
    if x.head && !wish.only_if_cached && shared.shelf.entry(&quest.id).await?.is_none() {
        return relay::head(quest, x).await;
    }
    match quest.obtain(wish).await? {
        Got::Stored(entry, outcome) => stored(shared, x, (mount, want), entry, outcome).await,
        Got::Flying(quest, ticket, outcome) => flying::flying(*quest, x, &ticket, outcome).await,
    }
}

async fn hosted(shared: &Shared, mount: &Mount, x: &Exchange, want: &Want) -> Result<Served, Fault> {
    let id = EntryKey::new(mount.id(), want.key.clone());
    let entry = shared.catalog.entry(&id).await?;
    let entry = entry.ok_or_else(|| Fault::not_found("this repository hosts no such object"))?;
    stored(shared, x, (mount, want), Arc::new(entry), Outcome::Local).await
}

/// Answers with stored bytes as they are.
pub(crate) async fn stored(
    shared: &Shared,
    x: &Exchange,
    (mount, want): (&Mount, &Want),
    entry: Arc<Entry>,
    outcome: Outcome,
) -> Result<Served, Fault> {
    let mut shown = shown(want, &entry, outcome, shared.clock.now());
    shown.dialect = mount.format.headers(want, &entry);
    let (response, cut) = shown.head(x)?;
    if cut != Cut::Nothing
        && let Some(response) = redirect::to_store(shared, x, (mount, want), &entry, outcome).await?
    {
        return Ok(Served {
            response,
            entry: Some(entry.id.clone()),
        });
    }
    let span = match cut {
        Cut::Nothing => {
            return Ok(Served {
                response,
                entry: Some(entry.id.clone()),
            });
        }
        Cut::Whole => 0..entry.size,
        Cut::Part(part) => part,
    };
    let body = body(shared, x, &entry, span).await?;
    Ok(Served {
        response: Response { body, ..response },
        entry: Some(entry.id.clone()),
    })
}

/// Bytes of a stored object, as the connection takes them best.
async fn body(shared: &Shared, x: &Exchange, entry: &Arc<Entry>, span: Range<u64>) -> Result<Body, Fault> {
    let length = span.end - span.start;
    if x.files
        && length > LEAST_FILE
        && let Some(file) = shared.blobs.file(&entry.object, span.end).await?
    {
        return Ok(Body::File(Box::new(Portion::new(file, span))));
    }
    let whole = length == entry.size;
    match shared.blobs.open(&entry.object, Some(span)).await? {
        Some(stream) if x.plain && whole && length <= again::LARGEST => {
            let bytes = gathered(stream, length).await?;
            Ok(Body::Again(Box::new(Again::new(bytes, Arc::clone(entry)))))
        }
        Some(stream) => Ok(Body::Stream {
            length: Some(length),
            stream,
        }),
        None => Err(shared.lost(entry).await),
    }
}

/// A small body in one piece; it comes in one as a rule.
async fn gathered(mut stream: ByteStream, length: u64) -> Result<Bytes, Fault> {
    let first = stream.try_next().await?.unwrap_or_default();
    if first.len() as u64 == length {
        return Ok(first);
    }
    let mut bytes = BytesMut::from(first);
    while let Some(piece) = stream.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}
