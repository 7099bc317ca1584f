//! Laws of `facts`, `derive` and `seal`.

use std::collections::HashSet;
use std::io::Cursor;

use artifactapi_core::plan::{Ask, Plan, Verb, Want};
use artifactapi_core::port::upstream::Head;
use artifactapi_core::{Digest, Headers};
use url::Url;

use super::holds;
use crate::{Derived, Format, Repo, Source};

/// Checks what is made of a document that came for an index.
pub(super) fn check(format: &dyn Format, want: &Want, media: &str, document: &[u8]) -> Result<(), String> {
    let url = Url::parse("https://upstream.example/index/page/").map_err(|e| e.to_string())?;
    seal(format, want, media, &url, document)?;
    let digest = Digest::sha256(document);
    let source = Source {
        url: Some(&url),
        media,
        digest: &digest,
    };
    let facts = format.facts(want, &mut Cursor::new(document), &source);
    let derived = format.derive(want, &mut Cursor::new(document), &source);
    let agree = match &facts {
        Ok(facts) => derived.is_ok() || facts.is_empty(),
        Err(_) => derived.is_err(),
    };
    holds(agree, "a document can be read or not", (&facts, &derived))?;
    let mut ids = HashSet::new();
    for fact in facts.unwrap_or_default() {
        let url = Url::parse(&fact.url).ok();
        let fetchable = url.is_some_and(|url| url.fragment().is_none() && url.scheme().starts_with("http"));
        holds(fetchable, "a fact says where a file is", &fact)?;
        holds(ids.insert(fact.id.clone()), "a fact has a name of its own", fact)?;
    }
    match derived {
        Ok(Derived::Bytes { media, body }) => idempotent(format, want, &url, media, &body),
        Ok(Derived::Source) | Err(_) => Ok(()),
    }
}

/// Checks a thing that can be made from the bytes of another: any bytes give something or a fault.
pub(super) fn made(format: &dyn Format, want: &Want, repo: &Repo<'_>, document: &[u8]) -> Result<(), String> {
    let Some(instead) = format.instead(want) else {
        return Ok(());
    };
    let ask = Ask {
        verb: Verb::Get,
        key: instead.key.clone(),
        query: String::new(),
        headers: Headers::new(),
    };
    let plan = format.route(&ask, repo);
    let same = matches!(&plan, Ok(Plan::Serve(found)) if *found == instead);
    holds(
        same,
        "what something is made from is served too",
        (&instead, plan),
    )?;
    let digest = Digest::sha256(document);
    let source = Source {
        url: None,
        media: "application/octet-stream",
        digest: &digest,
    };
    let derived = format.derive(want, &mut Cursor::new(document), &source);
    let made = !matches!(derived, Ok(Derived::Source));
    holds(made, "what is made is not what it was made from", want)
}

fn idempotent(
    format: &dyn Format,
    want: &Want,
    url: &Url,
    media: &'static str,
    body: &[u8],
) -> Result<(), String> {
    let digest = Digest::sha256(body);
    let source = Source {
        url: Some(url),
        media,
        digest: &digest,
    };
    let again = format.derive(want, &mut Cursor::new(body), &source);
    let same =
        matches!(&again, Ok(Derived::Bytes { media: m, body: b }) if (*m, b.as_slice()) == (media, body));
    let witness = match &again {
        Ok(Derived::Bytes { body: again, .. }) => format!("{:?}", difference(body, again)),
        other => format!("{other:?}"),
    };
    holds(same, "deriving twice is deriving once", witness)
}

/// Where two documents part, and how each goes on.
fn difference(one: &[u8], other: &[u8]) -> (usize, String, String) {
    let at = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let shown = |bytes: &[u8]| {
        let piece = bytes.get(at.saturating_sub(80)..bytes.len().min(at + 80));
        String::from_utf8_lossy(piece.unwrap_or_default()).into_owned()
    };
    (at, shown(one), shown(other))
}

/// A verdict does not depend on how the body was cut into chunks.
fn seal(format: &dyn Format, want: &Want, media: &str, url: &Url, document: &[u8]) -> Result<(), String> {
    let head = Head {
        status: 200,
        headers: [("content-type", media)].into_iter().collect(),
        url: url.clone(),
        length: None,
        framed: document.len().is_multiple_of(2),
    };
    let verdict = |size: usize| {
        let mut seal = format.seal(want, &head)?;
        for chunk in document.chunks(size) {
            seal.update(chunk);
        }
        Some(seal.finish())
    };
    let (whole, pieces) = (verdict(document.len().max(1)), verdict(7));
    holds(
        whole == pieces,
        "a verdict does not depend on chunks",
        (whole, pieces),
    )
}
