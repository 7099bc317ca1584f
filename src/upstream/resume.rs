//! Going on after a break: what to ask, and which answers continue the very same bytes.
//!
//! Pure. Bytes of two representations are never mixed: anything but a 206 that fits exactly ends the attempt.

use artifactapi_core::Headers;
use artifactapi_core::port::upstream::{Head, Method, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE};

/// Fields of the first request that would change the meaning of a resumption.
const CONDITIONS: &[&str] = &[
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// What is known of a representation, by which another answer is recognised as the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    etag: Option<String>,
    length: Option<u64>,
    coding: Option<String>,
    digest_known: bool,
}

/// What an answer to a resumption means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same bytes go on; the whole has this many.
    GoesOn(u64),
    /// Upstream is in trouble; it may know better later.
    Later,
    /// Other bytes, or none. Never ask again.
    Other(&'static str),
}

impl Basis {
    /// The basis of an answer, if a break in its body may be mended: a whole answer to GET, whose end can be told,
    /// with a strong validator, or with a known digest and length.
    pub(crate) fn of(request: &Request, head: &Head, length: Option<u64>) -> Option<Self> {
        let etag = head
            .headers
            .get("etag")
            .filter(|etag| is_strong(etag))
            .map(str::to_owned);
        let known = etag.is_some() || (request.digest_known && length.is_some());
        let whole = request.method == Method::Get && head.status == 200;
        (known && whole && head.framed).then(|| Self {
            etag,
            length,
            coding: head.headers.get("content-encoding").map(str::to_owned),
            digest_known: request.digest_known,
        })
    }

    /// The fields that ask for the rest from byte `at`, made of those of the first request.
    pub(crate) fn ask(&self, first: &HeaderMap, at: u64) -> HeaderMap {
        let mut fields = first.clone();
        for name in CONDITIONS {
            fields.remove(HeaderName::from_static(name));
        }
        if let Ok(range) = HeaderValue::try_from(format!("bytes={at}-")) {
            fields.insert(RANGE, range);
        }
        if let Some(Ok(etag)) = self.etag.as_deref().map(HeaderValue::try_from) {
            fields.insert(IF_RANGE, etag);
        }
        fields
    }

    /// Judges the answer to [`Basis::ask`].
    pub(crate) fn judge(&self, at: u64, status: u16, headers: &Headers) -> Verdict {
        match status {
            206 => self.judge_part(at, headers),
            429 | 500.. => Verdict::Later,
            200 => Verdict::Other("upstream sent the whole instead of the rest"),
            _ => Verdict::Other("upstream refused to send the rest"),
        }
    }

    fn judge_part(&self, at: u64, headers: &Headers) -> Verdict {
        let same_etag = match (&self.etag, headers.get("etag")) {
            (Some(known), Some(told)) => known == told,
            // RFC 9110 §15.3.7 wants the validator in a 206; without it only a digest tells.
            (Some(_), None) | (None, _) => self.digest_known,
        };
        if !same_etag || self.coding.as_deref() != headers.get("content-encoding") {
            return Verdict::Other("the object changed upstream during the transfer");
        }
        let Some(part) = headers.get("content-range").and_then(ContentRange::parse) else {
            return Verdict::Other("upstream did not say which part it sends");
        };
        let same_length = self.length.is_none_or(|length| length == part.total);
        let to_the_end = part.last.checked_add(1) == Some(part.total);
        if part.first == at && to_the_end && same_length {
            Verdict::GoesOn(part.total)
        } else {
            Verdict::Other("upstream sent another part than it was asked for")
        }
    }
}

/// Whether an entity tag compares strongly (RFC 9110 §8.8.3).
fn is_strong(etag: &str) -> bool {
    etag.len() >= 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// A `Content-Range` of bytes with a known total (RFC 9110 §14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) total: u64,
}

impl ContentRange {
    /// Reads the field; nothing for other units, unknown totals, nonsense.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let part = Self {
            first: number(first)?,
            last: number(last)?,
            total: number(total)?,
        };
        (unit.eq_ignore_ascii_case("bytes") && part.first <= part.last && part.last < part.total)
            .then_some(part)
    }
}

/// Digits only: `u64::from_str` would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
#[path = "tests/resume.rs"]
mod tests;
