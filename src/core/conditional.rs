//! Preconditions (RFC 9110 §13): whether a request goes on, given the validators of what it would act on.
//!
//! Callers ask only where a representation exists and the answer would otherwise be a success. What a write to a
//! name that may be free requires is a [`Guard`], which the catalog checks under its own lock.

use crate::clock::Time;
use crate::headers::Headers;
use crate::port::catalog::Guard;

/// The validators of the selected representation, as a client was told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validators<'a> {
    /// `ETag`, quoted, with `W/` if it is weak.
    pub etag: Option<&'a str>,
    /// `Last-Modified`; fractions of a second do not count.
    pub last_modified: Option<Time>,
}

/// What follows from the preconditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Go on.
    Proceed {
        /// Whether `Range` may be honoured; `false` when `If-Range` did not hold.
        range: bool,
    },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2.
///
/// With `write` (anything but GET and HEAD) a matching `If-None-Match` is 412 instead of 304, and
/// `If-Modified-Since` does not count. Dates that are invalid, repeated or without a counterpart are ignored.
pub fn evaluate(headers: &Headers, validators: &Validators<'_>, write: bool) -> Precondition {
    if !may_act(headers, validators) {
        return Precondition::Failed;
    }
    if !has_changed(headers, validators, write) {
        return if write {
            Precondition::Failed
        } else {
            Precondition::NotModified
        };
    }
    Precondition::Proceed {
        range: if_range_holds(headers, validators),
    }
}

/// What must hold before a name is written or removed, for the catalog to check under its lock.
///
/// `If-None-Match: *` asks for a free name, `If-Match` for one of its tags, `*` for any. Weak tags stay in the list:
/// clients are only ever told strong ones, so they match nothing, as strong comparison wants it.
pub fn guard(headers: &Headers) -> Guard {
    let absent = matches!(Tags::of(headers, "if-none-match"), Some(Tags::Any));
    match Tags::of(headers, "if-match") {
        None if absent => Guard::Absent,
        None => Guard::None,
        // An existing name and a free one at once, or a list without a tag: nothing can satisfy that.
        Some(_) if absent => never(),
        Some(Tags::List(tags)) if tags.is_empty() => never(),
        Some(Tags::Any) => Guard::Matching(Vec::new()),
        Some(Tags::List(tags)) => Guard::Matching(tags.into_iter().map(str::to_owned).collect()),
    }
}

/// A guard that holds for no entry: the empty string is nobody's tag.
fn never() -> Guard {
    Guard::Matching(vec![String::new()])
}

/// `If-Match`, and in its absence `If-Unmodified-Since`.
fn may_act(headers: &Headers, validators: &Validators<'_>) -> bool {
    match Tags::of(headers, "if-match") {
        Some(tags) => tags.have(validators.etag, strongly_equal),
        None => !modified_after(headers, "if-unmodified-since", validators).unwrap_or(false),
    }
}

/// `If-None-Match`, and in its absence, for reads alone, `If-Modified-Since`.
fn has_changed(headers: &Headers, validators: &Validators<'_>, write: bool) -> bool {
    match Tags::of(headers, "if-none-match") {
        Some(tags) => !tags.have(validators.etag, weakly_equal),
        None => write || modified_after(headers, "if-modified-since", validators).unwrap_or(true),
    }
}

/// `If-Range`: the exact strong tag, or the exact date (RFC 9110 §13.1.5).
fn if_range_holds(headers: &Headers, validators: &Validators<'_>) -> bool {
    if headers.get("if-range").is_none() {
        return true;
    }
    let Some(value) = single(headers, "if-range") else {
        return false;
    };
    if value.ends_with('"') {
        return validators.etag.is_some_and(|etag| strongly_equal(value, etag));
    }
    let date = Time::parse_http_date(value).map(seconds);
    date.is_some() && date == validators.last_modified.map(seconds)
}

/// Whether the representation changed after the date of a field; `None` when the field says nothing.
fn modified_after(headers: &Headers, name: &str, validators: &Validators<'_>) -> Option<bool> {
    let date = single(headers, name).and_then(Time::parse_http_date)?;
    Some(seconds(validators.last_modified?) > seconds(date))
}

/// Whole seconds, the granularity of an `HTTP-date`.
fn seconds(time: Time) -> i64 {
    time.0.div_euclid(1_000_000)
}

/// The value of a field that may occur once only.
fn single<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?;
    let mut lines = headers
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    (lines.nth(1).is_none()).then_some(value.trim())
}

/// Equal and both strong (RFC 9110 §8.8.3.2).
fn strongly_equal(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

/// Equal but for weakness.
fn weakly_equal(a: &str, b: &str) -> bool {
    let opaque = |tag| str::strip_prefix(tag, "W/").unwrap_or(tag);
    opaque(a) == opaque(b)
}

/// The value of `If-Match` or `If-None-Match`.
enum Tags<'h> {
    /// `*`.
    Any,
    /// Entity tags, with their quotes.
    List(Vec<&'h str>),
}

impl<'h> Tags<'h> {
    /// Reads every line of the field; `None` when there is none.
    fn of(headers: &'h Headers, name: &'static str) -> Option<Self> {
        headers.get(name)?;
        let lines: Vec<&str> = headers.all(name).map(str::trim).collect();
        if lines == ["*"] {
            return Some(Self::Any);
        }
        Some(Self::List(lines.into_iter().flat_map(entity_tags).collect()))
    }

    fn have(&self, etag: Option<&str>, equal: fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => etag.is_some_and(|etag| tags.iter().any(|tag| equal(tag, etag))),
        }
    }
}

/// The well-formed tags of a list. A comma may be part of a tag, so quotes are followed; what is no tag is skipped
/// up to the next comma.
fn entity_tags(line: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let length = tag_length(rest);
        if let Some(tag) = length.and_then(|length| rest.get(..length)) {
            tags.push(tag);
        }
        let skip = length.or_else(|| rest.find(',')).unwrap_or(rest.len());
        rest = rest.get(skip..).unwrap_or_default();
    }
    tags
}

/// How many bytes the entity tag at the start of `text` has, if there is one followed by a comma or nothing.
fn tag_length(text: &str) -> Option<usize> {
    let prefix = if text.starts_with("W/") { 2 } else { 0 };
    let opaque = text.get(prefix..)?.strip_prefix('"')?;
    let length = prefix + 1 + opaque.find('"')? + 1;
    let after = text.get(length..)?.trim_start_matches([' ', '\t']);
    (after.is_empty() || after.starts_with(',')).then_some(length)
}

#[cfg(test)]
mod tests;
