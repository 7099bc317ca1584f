//! Engine answers as HTTP responses.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use artifactapi_core::Fault;
use artifactapi_core::headers::Headers;
use artifactapi_core::port::ByteStream;
use artifactapi_engine::exchange::{Body, Response};
use bytes::Bytes;

use crate::sendfile::{Direct, Outlet, Parcel};

/// More bytes at once are not worth a copy.
const LARGE: usize = 64 << 10;

/// The HTTP response for an answer. Fields that are no legal HTTP are left out: they can only stem from strangers.
pub(crate) fn http(response: Response, outlet: Option<&Outlet>) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    fields(&mut builder, &response.headers);
    match response.body {
        Body::Empty => builder.finish(),
        Body::Again(again) => {
            let mut response = builder.body(again.body().clone());
            response.extensions_mut().insert(*again);
            response
        }
        Body::Bytes(bytes) if bytes.len() <= LARGE => builder.body(bytes),
        Body::Bytes(bytes) => direct(builder, Parcel::Memory(bytes), outlet),
        Body::File(portion) => direct(builder, Parcel::file(portion), outlet),
        Body::Measured(None) => builder.body(BoxBody::new(Arriving {
            length: None,
            stream: Box::pin(futures_util::stream::empty()),
            broken: None,
        })),
        Body::Measured(Some(length)) => builder.body(BoxBody::new(Measured(length))),
        Body::Stream { length, stream } => builder.body(BoxBody::new(Arriving {
            length,
            stream,
            broken: None,
        })),
    }
}

/// Sends a body through the connection's outlet. Only files need one: bytes can be copied piece by piece.
fn direct(mut builder: HttpResponseBuilder, parcel: Parcel, outlet: Option<&Outlet>) -> HttpResponse {
    match (outlet, parcel) {
        (Some(outlet), parcel) => {
            builder.no_chunking(parcel.len());
            builder.body(BoxBody::new(Direct::new(outlet.clone(), parcel)))
        }
        (None, Parcel::Memory(bytes)) => builder.body(BoxBody::new(Pieces(bytes))),
        (None, Parcel::File { .. }) => HttpResponse::InternalServerError().finish(),
    }
}

fn fields(builder: &mut HttpResponseBuilder, headers: &Headers) {
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            builder.append_header((name, value));
        }
    }
    builder.insert_header(("x-content-type-options", "nosniff"));
}

/// A body that says its size and yields nothing: the server polls a streaming body of HEAD to its end.
struct Measured(u64);

impl MessageBody for Measured {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// Bytes in pieces: the server copies a piece whole into its buffer, however large.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = self.0.len().min(LARGE);
        Poll::Ready((next > 0).then(|| Ok(self.0.split_to(next))))
    }
}

/// A body that arrives. An error ends the connection short of the body's end, so that no client takes it for whole.
struct Arriving {
    length: Option<u64>,
    stream: ByteStream,
    broken: Option<Fault>,
}

impl MessageBody for Arriving {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.length.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(fault) = self.broken.take() {
            return Poll::Ready(Some(Err(fault.into())));
        }
        match self.stream.as_mut().poll_next(cx) {
            // The server drops what it has not yet written when a body errs, the head among it: one turn later the
            // client has both, and sees a broken transfer instead of no answer.
            Poll::Ready(Some(Err(fault))) => {
                self.broken = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(next) => Poll::Ready(next.map(|chunk| chunk.map_err(Into::into))),
            Poll::Pending => Poll::Pending,
        }
    }
}
