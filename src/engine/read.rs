//! Reading: a want from a remote or a local, answered.

use std::sync::Arc;

use artifactapi_actors::flight::{Fetched, Progress, Stage, Ticket};
use artifactapi_core::Fault;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::{Entry, EntryKey, client_etag};
use artifactapi_core::fault::Kind;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::Want;

use crate::derived::{self, Page};
use crate::exchange::{Body, Exchange, Response};
use crate::fetching::Quest;
use crate::obtain::{Document, Got, Wish};
use crate::respond::{Cut, Shown, shown};
use crate::serve::{Served, is_page};
use crate::table::Mount;
use crate::{Shared, ahead, relay};

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
        return page(shared, mount, x, want, (document, outcome)).await;
    }
    if x.head && shared.shelf.entry(&quest.id).await?.is_none() {
        return relay::head(quest, x).await;
    }
    match quest.clone().obtain(wish).await? {
        Got::Stored(entry, outcome) => stored(shared, x, (mount, want), entry, outcome).await,
        Got::Flying(ticket, outcome) => flying(quest, x, &ticket, outcome).await,
    }
}

async fn hosted(shared: &Shared, mount: &Mount, x: &Exchange, want: &Want) -> Result<Served, Fault> {
    let id = EntryKey::new(mount.id(), want.key.clone());
    let entry = shared.catalog.entry(&id).await?;
    let entry = entry.ok_or_else(|| Fault::not_found("this repository hosts no such object"))?;
    stored(shared, x, (mount, want), Arc::new(entry), Outcome::Local).await
}

/// Answers with stored bytes as they are.
async fn stored(
    shared: &Shared,
    x: &Exchange,
    (mount, want): (&Mount, &Want),
    entry: Arc<Entry>,
    outcome: Outcome,
) -> Result<Served, Fault> {
    let mut shown = shown(want, &entry, outcome, shared.clock.now());
    shown.dialect = mount.format.headers(want, &entry);
    let (response, cut) = shown.head(x)?;
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
    let length = span.end - span.start;
    let Some(stream) = shared.blobs.open(&entry.object, Some(span)).await? else {
        return Err(shared.lost(&entry).await);
    };
    let body = Body::Stream {
        length: Some(length),
        stream,
    };
    Ok(Served {
        response: Response { body, ..response },
        entry: Some(entry.id.clone()),
    })
}

/// Answers with the derived form of an index.
async fn page(
    shared: &Shared,
    mount: &Mount,
    x: &Exchange,
    want: &Want,
    (document, outcome): (Document, Outcome),
) -> Result<Served, Fault> {
    let made = derived::page(shared, mount, want, &document).await?;
    let now = shared.clock.now();
    let (entry, spooled) = match &document {
        Document::Stored(entry) => (Some(entry), None),
        Document::Spooled(fetched) => (None, Some(fetched)),
    };
    let Page::Made { media, body, etag } = made else {
        return match (entry, spooled) {
            (Some(entry), _) => stored(shared, x, (mount, want), Arc::clone(entry), outcome).await,
            (None, Some(fetched)) => spooled_whole(x, want, fetched, outcome),
            (None, None) => Err(Fault::new(Kind::Internal, "a document without bytes")),
        };
    };
    let shown = Shown {
        want,
        outcome,
        media,
        etag: Some(etag.as_ref().to_owned()),
        last_modified: None,
        length: Some(body.len() as u64),
        ttl: entry.and_then(|entry| crate::obtain::ttl(entry, now)),
        age: entry.map(|entry| now.since(entry.validated_at).as_secs()),
        dialect: entry
            .map(|entry| mount.format.headers(want, entry))
            .unwrap_or_default(),
    };
    let (mut response, cut) = shown.head(x)?;
    match cut {
        Cut::Nothing => {}
        Cut::Whole => response.body = Body::Bytes(body),
        Cut::Part(part) => response.body = Body::Bytes(slice(&body, &part)),
    }
    Ok(Served {
        response,
        entry: entry.map(|entry| entry.id.clone()),
    })
}

/// Answers with what can be made from another object, because upstream does not have it ready. What an index
/// promised of its bytes still holds.
pub(crate) async fn made_from(
    shared: &Arc<Shared>,
    mount: &Arc<Mount>,
    x: &Exchange,
    (want, source): (&Want, Want),
) -> Result<Served, Fault> {
    let wish = Wish {
        revalidate: false,
        only_if_cached: x.only_if_cached(),
    };
    let got = Quest::new(shared, mount, source).obtain(wish).await?;
    let (document, outcome) = got.document(shared.index_patience).await?;
    let mut quest = Quest::new(shared, mount, want.clone());
    quest.learn().await?;
    if let Page::Made { body, .. } = derived::page(shared, mount, want, &document).await?
        && quest
            .sha256_known()
            .is_some_and(|promised| promised != Digest::sha256(&body))
    {
        return Err(Fault::new(
            Kind::Corrupt,
            "what the object holds is not what its index promises",
        ));
    }
    page(shared, mount, x, want, (document, outcome)).await
}

fn slice(body: &bytes::Bytes, part: &std::ops::Range<u64>) -> bytes::Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
    body.slice(at(part.start)..at(part.end))
}

/// A whole body that could not be stored, from its spool.
fn spooled_whole(
    x: &Exchange,
    want: &Want,
    fetched: &Arc<Fetched>,
    outcome: Outcome,
) -> Result<Served, Fault> {
    let head = &fetched.head;
    let shown = Shown {
        want,
        outcome,
        media: head
            .headers
            .get("content-type")
            .unwrap_or("application/octet-stream"),
        etag: Some(client_etag(head.headers.get("etag"), &fetched.digests.sha256)),
        last_modified: head.headers.get("last-modified"),
        length: Some(fetched.size),
        ttl: None,
        age: None,
        dialect: Vec::new(),
    };
    let (mut response, cut) = shown.head(x)?;
    let span = match cut {
        Cut::Nothing => return Ok(response.into()),
        Cut::Whole => 0..fetched.size,
        Cut::Part(part) => part,
    };
    let length = Some(span.end - span.start);
    response.body = Body::Stream {
        length,
        stream: crate::spooled(Arc::clone(&fetched.spool), span),
    };
    Ok(response.into())
}

/// Answers from a running flight: the head as soon as it may go, the bytes as they arrive.
async fn flying(quest: Quest, x: &Exchange, ticket: &Ticket, outcome: Outcome) -> Result<Served, Fault> {
    let progress = ticket.opening().await.map_err(|fault| quest.explain(fault))?;
    let target = (quest.mount.as_ref(), &quest.want);
    let Progress { head: Some(head), .. } = &progress else {
        return match progress.stage {
            // The row landed between look-up and join; nobody was asked.
            Stage::Landed(entry) | Stage::Same(entry) => {
                stored(&quest.shared, x, target, entry, Outcome::Hit).await
            }
            _ => Err(Fault::new(Kind::Internal, "a flight opened without a head")),
        };
    };
    if let Some(response) = ahead::beside(&quest, x, &progress).await {
        return Ok(response.into());
    }
    let media = quest.media(head.headers.get("content-type").map(str::to_owned));
    let found = progress.fetched.as_ref().map(|fetched| &fetched.digests.sha256);
    let shown = Shown {
        want: &quest.want,
        outcome,
        media: &media,
        etag: quest.etag(head.headers.get("etag"), found),
        last_modified: head.headers.get("last-modified"),
        length: progress
            .fetched
            .as_ref()
            .map(|fetched| fetched.size)
            .or(progress.length),
        ttl: None,
        age: None,
        dialect: Vec::new(),
    };
    let length = shown.length;
    let (mut response, cut) = shown.head(x)?;
    let (span, length) = match cut {
        Cut::Nothing => {
            return Ok(Served {
                response,
                entry: Some(quest.id),
            });
        }
        Cut::Whole => (None, length),
        Cut::Part(part) => (Some(part.clone()), Some(part.end - part.start)),
    };
    response.body = Body::Stream {
        length,
        stream: ticket.body(span),
    };
    Ok(Served {
        response,
        entry: Some(quest.id),
    })
}
