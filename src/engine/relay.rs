//! Relays: a HEAD for something that is not stored asks upstream by HEAD and stores nothing.

use artifactapi_core::Fault;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::port::upstream::{Answer, Head, Method, Request};
use artifactapi_formats::Meaning;

use crate::exchange::Exchange;
use crate::fetching::Quest;
use crate::meaning::fault_of;
use crate::respond::Shown;
use crate::serve::Served;

/// Answers a HEAD from upstream's HEAD; from a GET where upstream knows no HEAD.
pub(crate) async fn head(mut quest: Quest, x: &Exchange) -> Result<Served, Fault> {
    let revision = quest.mount.repository.revision;
    if let Some(fault) = quest.shared.shelf.absence(&quest.id, revision).await {
        return Err(fault);
    }
    quest.learn().await?;
    let mut request = quest.ask()?;
    request.method = Method::Head;
    let mut head = send(&quest, request.clone()).await?.head;
    if matches!(head.status, 405 | 501) {
        request.method = Method::Get;
        head = send(&quest, request).await?.head;
    }
    match quest.mount.format.meaning(&quest.want, head.status) {
        Meaning::Fresh => respond(&quest, x, &head),
        meaning => {
            let fault = fault_of(meaning, &head);
            if let Meaning::Absent(kind) = meaning {
                quest.shared.shelf.absent(&quest.id, revision, kind).await;
            }
            Err(fault)
        }
    }
}

/// Sends a request beside the flights, with the breaker asked and told.
pub(crate) async fn send(quest: &Quest, request: Request) -> Result<Answer, Fault> {
    let breakers = &quest.shared.handles.breakers;
    breakers.gate(quest.mount.id(), quest.mount.name()).await?;
    let answer = quest.shared.upstream.send(request).await;
    let ok = match &answer {
        Ok(answer) => answer.head.status < 500,
        Err(fault) => !fault.trips_breaker(),
    };
    breakers.report(quest.mount.id(), ok);
    answer
}

fn respond(quest: &Quest, x: &Exchange, head: &Head) -> Result<Served, Fault> {
    let said = head.headers.get("content-type").map(str::to_owned);
    let media = quest.media(said);
    let length = head
        .headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let told = quest.fact.as_ref().and_then(|fact| fact.size);
    let shown = Shown {
        etag: quest.etag(head.headers.get("etag"), None),
        length: head.length.or(length).or(told),
        immutable: quest.is_immutable(),
        ..Shown::arriving(&quest.want, Outcome::Relay, &media, head)
    };
    Ok(shown.head(x)?.0.into())
}
