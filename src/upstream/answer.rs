//! From a response to an answer: its head in our words, its body counted, decoded and limited.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Answer, Head, Method, Request};
use bytes::Bytes;
use futures_util::stream;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use url::Url;

use crate::body::{Body, Source};
use crate::client::Shared;
use crate::clients::Identity;
use crate::complete::Tally;
use crate::decode::{self, Decoder};
use crate::fields;
use crate::redirects::Landed;
use crate::resume::Basis;
use crate::wire::Wire;

/// Makes an answer of what came for `request`, started at `start` with `sent` fields.
pub(crate) fn make(
    shared: &Arc<Shared>,
    identity: Arc<Identity>,
    request: &Request,
    (start, sent): (&Url, HeaderMap),
    landed: Landed,
) -> Result<Answer, Fault> {
    let status = landed.response.status();
    if request.method == Method::Head || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT) {
        return bare(request, &landed);
    }
    let headers = fields::incoming(landed.response.headers());
    let decoder = decode::choose(request.coding, &headers)?;
    let (wire, framing) = Wire::of(landed.response);
    let mut head = Head {
        status: status.as_u16(),
        headers,
        url: landed.url,
        length: framing.length(),
        framed: framing.proves(),
    };
    let basis = Basis::of(request, &head, framing.length());
    uncoded(&mut head, decoder.is_some());
    let limit = Limit::new(request.limit);
    limit.foresee(&head)?;
    let source = Source {
        shared: Arc::clone(shared),
        identity,
        start: start.clone(),
        fields: sent,
    };
    let body = Body::new(source, wire, Tally::new(framing), basis, landed.permit);
    let flow = Flow { body, decoder, limit };
    Ok(Answer {
        head,
        body: Box::pin(shared.io.enter(stream::unfold(Some(flow), step))),
    })
}

/// Takes the coding out of a head, and what no longer holds once the body is decoded.
fn uncoded(head: &mut Head, decoded: bool) {
    if decoded {
        fields::decoded(&mut head.headers);
        head.length = None;
    }
    head.headers.remove("content-encoding");
}

/// An answer without a body. A length in it is that of the body a GET would have (RFC 9110 §8.6).
fn bare(request: &Request, landed: &Landed) -> Result<Answer, Fault> {
    let headers = fields::incoming(landed.response.headers());
    let decoded = decode::choose(request.coding, &headers)?.is_some();
    let announced = headers
        .get(CONTENT_LENGTH.as_str())
        .and_then(|value| value.parse().ok());
    let mut head = Head {
        status: landed.response.status().as_u16(),
        headers,
        url: landed.url.clone(),
        length: announced.filter(|_| request.method == Method::Head),
        framed: true,
    };
    uncoded(&mut head, decoded);
    Ok(Answer {
        head,
        body: Box::pin(stream::empty()),
    })
}

/// A body on its way to whoever asked.
struct Flow {
    body: Body,
    decoder: Option<Decoder>,
    limit: Limit,
}

/// One step of the stream; a fault and the end drop the flow, and its permit with it.
async fn step(flow: Option<Flow>) -> Option<(Result<Bytes, Fault>, Option<Flow>)> {
    let mut flow = flow?;
    match flow.next().await {
        Ok(Some(bytes)) => Some((Ok(bytes), Some(flow))),
        Ok(None) => None,
        Err(fault) => Some((Err(fault), None)),
    }
}

impl Flow {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let bytes = match &mut self.decoder {
            None => self.body.next().await?,
            Some(decoder) => decoded(decoder, &mut self.body).await?,
        };
        if let Some(bytes) = &bytes {
            self.limit.count(bytes.len() as u64)?;
        }
        Ok(bytes)
    }
}

async fn decoded(decoder: &mut Decoder, body: &mut Body) -> Result<Option<Bytes>, Fault> {
    loop {
        if let Some(bytes) = decoder.pull()? {
            return Ok(Some(bytes));
        }
        match body.next().await? {
            Some(coded) => decoder.feed(coded),
            None => return decoder.finish(),
        }
    }
}

/// How many bytes are accepted.
struct Limit {
    most: u64,
    left: u64,
}

impl Limit {
    fn new(limit: u64) -> Self {
        let most = if limit == 0 { u64::MAX } else { limit };
        Self { most, left: most }
    }

    /// Refuses a successful answer whose length is beyond the limit before a byte of it is read.
    fn foresee(&self, head: &Head) -> Result<(), Fault> {
        match head.length {
            Some(length) if length > self.most && matches!(head.status, 200..=299) => Err(self.exceeded()),
            Some(_) | None => Ok(()),
        }
    }

    fn count(&mut self, bytes: u64) -> Result<(), Fault> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| self.exceeded())?;
        Ok(())
    }

    fn exceeded(&self) -> Fault {
        Fault::new(
            Kind::UpstreamTooLarge,
            format!(
                "upstream's object is larger than the limit of {} bytes",
                self.most
            ),
        )
    }
}
