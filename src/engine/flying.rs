//! Flying: answers from a flight, begun before the object is whole.

use artifactapi_actors::flight::{Progress, Stage, Ticket};
use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::outcome::Outcome;

use crate::ahead;
use crate::exchange::{Body, Exchange};
use crate::fetching::Quest;
use crate::read::stored;
use crate::respond::{Cut, Shown};
use crate::serve::Served;

/// Answers from a running flight: the head as soon as it may go, the bytes as they arrive.
pub(crate) async fn flying(
    quest: Quest,
    x: &Exchange,
    ticket: &Ticket,
    outcome: Outcome,
) -> Result<Served, Fault> {
    let mut progress = ticket.opening().await?;
    if !x.framed && progress.head.is_some() && progress.length.is_none() {
        // HTTP/1.0 ends such a body by closing (RFC 9112 §6.3), as a cut does: the whole is awaited and measured.
        ticket.verified().await?;
        progress = ticket.progress();
    }
    if progress.head.is_none() {
        return unasked(&quest, x, progress).await;
    }
    if let Some(response) = ahead::beside(&quest, x, &progress).await {
        return Ok(response.into());
    }
    arriving(quest, x, ticket, (&progress, outcome))
}

/// The row landed between look-up and join, so nobody was asked; or upstream confirmed the copy.
async fn unasked(quest: &Quest, x: &Exchange, progress: Progress) -> Result<Served, Fault> {
    let target = (quest.mount.as_ref(), &quest.want);
    match progress.stage {
        Stage::Landed(entry) => stored(&quest.shared, x, target, entry, Outcome::Hit).await,
        Stage::Same(entry) => stored(&quest.shared, x, target, entry, Outcome::Revalidated).await,
        _ => Err(Fault::new(Kind::Internal, "a flight opened without a head")),
    }
}

fn arriving(
    quest: Quest,
    x: &Exchange,
    ticket: &Ticket,
    (progress, outcome): (&Progress, Outcome),
) -> Result<Served, Fault> {
    let head = progress.head.as_ref();
    let head = head.ok_or_else(|| Fault::new(Kind::Internal, "a flight opened without a head"))?;
    let media = quest.media(head.headers.get("content-type").map(str::to_owned));
    let found = progress.fetched.as_ref();
    let length = found.map(|fetched| fetched.size).or(progress.length);
    let etag = quest.etag(
        head.headers.get("etag"),
        found.map(|fetched| &fetched.digests.sha256),
    );
    let shown = Shown {
        etag,
        length,
        immutable: quest.is_immutable(),
        ..Shown::arriving(&quest.want, outcome, &media, head)
    };
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
