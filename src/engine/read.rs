//! Reading: a want from a remote or a local, answered.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::Want;

use crate::exchange::{Body, Exchange, Response};
use crate::fetching::Quest;
use crate::obtain::{Got, Wish};
use crate::respond::{Cut, shown};
use crate::serve::{Served, is_page};
use crate::table::Mount;
use crate::{Shared, flying, pages, redirect, relay};

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
