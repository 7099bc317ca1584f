//! Responding: from stored bytes, pages or a running flight to status, fields and body, with conditions and ranges.

use std::ops::Range;

use artifactapi_core::Fault;
use artifactapi_core::clock::Time;
use artifactapi_core::conditional::{self, Precondition, Validators};
use artifactapi_core::entry::{Entry, Lifetime};
use artifactapi_core::fault::Kind;
use artifactapi_core::headers::Headers;
use artifactapi_core::key::encode_path;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Class, Want};
use artifactapi_core::port::upstream::Head;
use artifactapi_core::range::{self, RangeVerdict};

use crate::exchange::{Body, Exchange, Response};

/// What is about to be served, whatever its source.
pub(crate) struct Shown<'a> {
    pub(crate) want: &'a Want,
    pub(crate) outcome: Outcome,
    pub(crate) media: &'a str,
    /// Quoted; `None` where no strong validator is known yet.
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<&'a str>,
    /// Bytes of the whole; `None` while a body of unknown length arrives.
    pub(crate) length: Option<u64>,
    /// Seconds until it stops being fresh.
    pub(crate) ttl: Option<i64>,
    /// Seconds since upstream confirmed it.
    pub(crate) age: Option<u64>,
    /// Whether it never changes under its name, by its type and the repository's patterns together.
    pub(crate) immutable: bool,
    /// Fields of the dialect.
    pub(crate) dialect: Vec<(&'static str, String)>,
}

/// Which bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// None: the answer is complete without.
    Nothing,
    /// All.
    Whole,
    /// These.
    Part(Range<u64>),
}

impl<'a> Shown<'a> {
    /// What upstream has just answered; validator, length and whether it may change are for the caller to say.
    pub(crate) fn arriving(want: &'a Want, outcome: Outcome, media: &'a str, head: &'a Head) -> Self {
        Self {
            want,
            outcome,
            media,
            etag: None,
            last_modified: head.headers.get("last-modified"),
            length: None,
            ttl: None,
            age: None,
            immutable: false,
            dialect: Vec::new(),
        }
    }
}

impl Shown<'_> {
    /// Status, fields and the bytes to send, by the conditions and range of the request (RFC 9110 §13.2.2).
    pub(crate) fn head(&self, x: &Exchange) -> Result<(Response, Cut), Fault> {
        let last_modified = self.last_modified.and_then(Time::parse_http_date);
        let validators = Validators {
            etag: self.etag.as_deref(),
            last_modified,
        };
        let ranged = match conditional::evaluate(&x.headers, &validators, false) {
            Precondition::NotModified => return Ok((self.response(304, Body::Empty), Cut::Nothing)),
            Precondition::Failed => {
                return Err(Fault::client(
                    Kind::PreconditionFailed,
                    "the object is not the one that was meant",
                ));
            }
            Precondition::Proceed { range } => range && !x.head,
        };
        let asked = x.headers.get("range").filter(|_| ranged);
        let (mut response, cut, length) = match self.length.map(|size| (range::decide(asked, size), size)) {
            Some((RangeVerdict::Unsatisfiable, size)) => return Ok((self.unsatisfiable(size), Cut::Nothing)),
            Some((RangeVerdict::Part(part), size)) => {
                let mut response = self.response(206, Body::Empty);
                response.headers.set("content-range", content_range(&part, size));
                let length = part.end - part.start;
                (response, Cut::Part(part), Some(length))
            }
            Some((RangeVerdict::Whole, size)) => (self.response(200, Body::Empty), Cut::Whole, Some(size)),
            None => (self.response(200, Body::Empty), Cut::Whole, None),
        };
        if x.head {
            response.body = Body::Measured(length);
            return Ok((response, Cut::Nothing));
        }
        Ok((response, cut))
    }

    fn response(&self, status: u16, body: Body) -> Response {
        let mut headers = Headers::new();
        headers.set("content-type", self.media);
        if let Some(etag) = &self.etag {
            headers.set("etag", etag.as_str());
        }
        if let Some(date) = self.last_modified {
            headers.set("last-modified", date);
        }
        if let Some(age) = self.age {
            headers.set("age", age.to_string());
        }
        headers.set("accept-ranges", "bytes");
        headers.set("cache-control", self.cache_control());
        if !matches!(self.want.class, Class::Index) {
            headers.set("content-disposition", disposition(self.want.key.file_name()));
        }
        mark(&mut headers, self.outcome, self.ttl);
        for (name, value) in &self.dialect {
            headers.set(name, value.as_str());
        }
        Response {
            status,
            headers,
            body,
            outcome: self.outcome,
        }
    }

    /// RFC 9110 §15.5.17: the size is told in `Content-Range`.
    fn unsatisfiable(&self, size: u64) -> Response {
        let mut response = self.response(416, Body::Bytes(format!("the object has {size} bytes\n").into()));
        response.headers.set("content-range", format!("bytes */{size}"));
        response.headers.set("content-type", "text/plain; charset=utf-8");
        response.headers.remove("content-disposition");
        response
    }

    fn cache_control(&self) -> &'static str {
        match self.want.class {
            Class::Immutable(_) if self.immutable => "public, max-age=31536000, immutable",
            Class::Immutable(_) | Class::Index | Class::Mutable => "public, max-age=0, must-revalidate",
        }
    }
}

/// The validators and times of a stored entry.
pub(crate) fn shown<'a>(want: &'a Want, entry: &'a Entry, outcome: Outcome, now: Time) -> Shown<'a> {
    let hosted = outcome == Outcome::Local;
    Shown {
        want,
        outcome,
        media: want.media.unwrap_or(&entry.media),
        etag: Some(entry.client_etag()),
        last_modified: entry.last_modified.as_deref(),
        length: Some(entry.size),
        ttl: crate::obtain::ttl(entry, now),
        age: (!hosted).then(|| now.since(entry.validated_at).as_secs()),
        immutable: entry.lifetime == Lifetime::Immutable && entry.expires_at.is_none(),
        dialect: Vec::new(),
    }
}

/// Says in the headers where the answer came from.
pub(crate) fn mark(headers: &mut Headers, outcome: Outcome, ttl: Option<i64>) {
    if let Some(source) = outcome.source() {
        headers.set("x-artifact-source", source);
    }
    headers.set("cache-status", outcome.cache_status(ttl));
}

/// `Content-Range` of a part (RFC 9110 §14.4).
pub(crate) fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

/// `Content-Disposition` with the file's name; names beyond ASCII in the extended form (RFC 6266, RFC 8187).
pub(crate) fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~@=,;()[]{} ".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return format!("attachment; filename=\"{name}\"");
    }
    format!(
        "attachment; filename*=UTF-8''{}",
        encode_path(name).replace(['\'', '(', ')', '*'], "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_cannot_break_out_of_the_field() {
        assert_eq!(disposition("a-1.0+x.whl"), "attachment; filename=\"a-1.0+x.whl\"");
        assert_eq!(disposition("a\"b"), "attachment; filename*=UTF-8''a%22b");
        assert_eq!(disposition("ü.txt"), "attachment; filename*=UTF-8''%C3%BC.txt");
    }
}
