//! The bytes of one answer as they come from the connection, with every end called by its name.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use reqwest::{Response, Version};

use crate::complete::Framing;
use crate::trouble;

/// One answer's body.
pub(crate) struct Wire {
    body: reqwest::Body,
    version: Version,
}

/// What the connection gave.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes.
    Bytes(Bytes),
    /// The end, in good order as far as the connection tells.
    End,
    /// The connection or the stream broke, for this reason.
    Broke(String),
    /// Nothing within the idle limit.
    Silent,
}

impl Wire {
    /// Takes an answer's body, and tells how its end is marked.
    pub(crate) fn of(response: Response) -> (Self, Framing) {
        let version = response.version();
        let fields = response.headers().clone();
        let body = reqwest::Body::from(response);
        let framing = Framing::of(version, &fields, body.size_hint().exact());
        (Self { body, version }, framing)
    }

    /// Waits for the next event, at most `idle` for it.
    pub(crate) async fn next(&mut self, idle: Duration) -> Event {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx));
            match tokio::time::timeout(idle, frame).await {
                Err(_) => return Event::Silent,
                Ok(None) => return self.end(),
                Ok(Some(Err(error))) => return Event::Broke(trouble::chain(&error.without_url())),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Event::Bytes(bytes),
                    // Trailers and empty frames say nothing.
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }

    /// The HTTP library takes an HTTP/2 stream that was reset with `NO_ERROR` for ended (RFC 9113 §8.1 has this for
    /// requests that were answered early); only the end-of-stream flag proves an end.
    fn end(&self) -> Event {
        if self.version == Version::HTTP_2 && !self.body.is_end_stream() {
            Event::Broke("the stream was reset without its end".to_owned())
        } else {
            Event::End
        }
    }
}
