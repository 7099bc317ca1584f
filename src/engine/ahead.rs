//! Ranges far ahead of a running flight: fetched beside it, so that nobody waits for bytes it did not ask for.

use artifactapi_actors::flight::Progress;
use artifactapi_core::Fault;
use artifactapi_core::conditional::{self, Precondition, Validators};
use artifactapi_core::outcome::Outcome;
use artifactapi_core::port::upstream::{Answer, Method};
use artifactapi_core::range::{self, RangeVerdict};

use crate::exchange::{Body, Exchange, Response};
use crate::fetching::Quest;
use crate::relay;
use crate::respond::{content_range, mark};

/// How far ahead of the flight a range must begin (bytes).
const FAR: u64 = 8 << 20;

/// The answer to a range far ahead, or `None` where the flight itself should answer.
pub(crate) async fn beside(quest: &Quest, x: &Exchange, progress: &Progress) -> Option<Response> {
    let (size, part) = part(x, progress)?;
    if part.start < progress.written.saturating_add(FAR) || progress.fetched.is_some() {
        return None;
    }
    match ranged(quest, progress, size, &part).await {
        Ok(answer) => answer.map(|answer| response(quest, answer, size, &part)),
        Err(fault) => {
            log::debug!(path = quest.id.key.path(); "a range beside the flight failed: {fault:?}");
            None
        }
    }
}

fn part(x: &Exchange, progress: &Progress) -> Option<(u64, std::ops::Range<u64>)> {
    let (size, asked) = (progress.length?, x.headers.get("range").filter(|_| !x.head)?);
    let head = progress.head.as_ref()?;
    let validators = Validators {
        etag: head.headers.get("etag"),
        last_modified: None,
    };
    let proceeds =
        conditional::evaluate(&x.headers, &validators, false) == Precondition::Proceed { range: true };
    match range::decide(Some(asked), size) {
        RangeVerdict::Part(part) if proceeds => Some((size, part)),
        _ => None,
    }
}

/// Asks for the part with the flight's own validator; only bytes of the same version may come.
async fn ranged(
    quest: &Quest,
    progress: &Progress,
    size: u64,
    part: &std::ops::Range<u64>,
) -> Result<Option<Answer>, Fault> {
    let Some(head) = &progress.head else {
        return Ok(None);
    };
    let Some(etag) = head
        .headers
        .get("etag")
        .filter(|tag| artifactapi_core::entry::is_strong(tag))
    else {
        return Ok(None);
    };
    let mut request = quest.ask()?;
    request.method = Method::Get;
    request.urls = vec![head.url.clone()];
    request.headers.set(
        "range",
        format!("bytes={}-{}", part.start, part.end.saturating_sub(1)),
    );
    request.headers.set("if-range", etag);
    let answer = relay::send(quest, request).await?;
    let fits = answer.head.status == 206
        && answer.head.headers.get("content-range") == Some(content_range(part, size).as_str())
        && answer.head.headers.get("etag") == Some(etag);
    Ok(fits.then_some(answer))
}

fn response(quest: &Quest, answer: Answer, size: u64, part: &std::ops::Range<u64>) -> Response {
    let mut headers = artifactapi_core::Headers::new();
    let said = answer.head.headers.get("content-type").map(str::to_owned);
    headers.set("content-type", quest.media(said));
    headers.set("content-range", content_range(part, size));
    headers.set("accept-ranges", "bytes");
    if let Some(etag) = answer.head.headers.get("etag") {
        headers.set("etag", etag);
    }
    mark(&mut headers, Outcome::RangedPast, None);
    let body = Body::Stream {
        length: Some(part.end - part.start),
        stream: answer.body,
    };
    Response {
        status: 206,
        headers,
        body,
        outcome: Outcome::RangedPast,
    }
}
