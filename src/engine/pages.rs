//! Pages: answers with documents that are derived from stored ones.

use std::ops::Range;
use std::sync::Arc;

use artifactapi_actors::flight::Fetched;
use artifactapi_core::Fault;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::client_etag;
use artifactapi_core::fault::Kind;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::Want;
use artifactapi_core::policy::Admission;
use artifactapi_formats::kit::media;
use bytes::Bytes;

use crate::Shared;
use crate::again::{self, Again};
use crate::derived::{self, Page};
use crate::exchange::{Body, Exchange};
use crate::fetching::Quest;
use crate::obtain::{Document, Wish};
use crate::read::stored;
use crate::respond::{Cut, Shown, shown};
use crate::serve::Served;
use crate::table::Mount;

/// Answers with the derived form of an index.
pub(crate) async fn page(
    shared: &Shared,
    mount: &Mount,
    x: &Exchange,
    want: &Want,
    (document, outcome): (Document, Outcome),
) -> Result<Served, Fault> {
    let made = derived::page(shared, mount, want, &document).await?;
    match (made, document) {
        (Page::Made { media, body, etag }, document) => {
            let shown = shown_page(shared, mount, (want, outcome), &document);
            let length = Some(body.len() as u64);
            let shown = Shown {
                media: &media,
                length,
                etag: Some(etag.as_ref().to_owned()),
                ..shown
            };
            answer(x, &shown, body, &document)
        }
        (Page::Source, Document::Stored(entry)) => stored(shared, x, (mount, want), entry, outcome).await,
        (Page::Source, Document::Spooled(fetched)) => spooled_whole(x, want, &fetched, outcome),
    }
}

/// What a page has of its document: times, and fields of the dialect.
fn shown_page<'a>(
    shared: &Shared,
    mount: &Mount,
    (want, outcome): (&'a Want, Outcome),
    document: &'a Document,
) -> Shown<'a> {
    match document {
        Document::Stored(entry) => Shown {
            last_modified: None,
            dialect: mount.format.headers(want, entry),
            ..shown(want, entry, outcome, shared.clock.now())
        },
        Document::Spooled(fetched) => Shown {
            last_modified: None,
            ..Shown::arriving(want, outcome, "", &fetched.head)
        },
    }
}

fn answer(x: &Exchange, shown: &Shown<'_>, body: Bytes, document: &Document) -> Result<Served, Fault> {
    let (mut response, cut) = shown.head(x)?;
    match (cut, document) {
        (Cut::Nothing, _) => {}
        (Cut::Whole, Document::Stored(entry)) if x.plain && body.len() as u64 <= again::LARGEST => {
            response.body = Body::Again(Box::new(Again::new(body, Arc::clone(entry))));
        }
        (Cut::Whole, _) => response.body = Body::Bytes(body),
        (Cut::Part(part), _) => response.body = Body::Bytes(slice(&body, &part)),
    }
    let entry = match document {
        Document::Stored(entry) => Some(entry.id.clone()),
        Document::Spooled(_) => None,
    };
    Ok(Served { response, entry })
}

/// Answers with what can be made from another object, because upstream does not have it ready. What an index
/// promised of its bytes still holds.
pub(crate) async fn made_from(
    shared: &Arc<Shared>,
    mount: &Arc<Mount>,
    x: &Exchange,
    (want, source): (&Want, Want),
) -> Result<Served, Fault> {
    if let Admission::Denied(reason) = mount.policy.admit(&source.key, source.service) {
        return Err(Fault::client(Kind::Denied, reason));
    }
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

fn slice(body: &Bytes, part: &Range<u64>) -> Bytes {
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
    let media = head
        .headers
        .get("content-type")
        .unwrap_or_else(|| media::by_name(want.key.file_name()));
    let shown = Shown {
        etag: Some(client_etag(head.headers.get("etag"), &fetched.digests.sha256)),
        length: Some(fetched.size),
        ..Shown::arriving(want, outcome, media, head)
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
