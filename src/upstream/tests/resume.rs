//! Which answers continue the same bytes.

use std::sync::Arc;

use artifactapi_core::port::upstream::{Coding, Credentials, Origin};
use artifactapi_core::repository::RepoId;
use proptest::prelude::*;

use super::*;

fn request(method: Method, digest_known: bool) -> Request {
    Request {
        origin: Arc::new(Origin {
            repo: RepoId(uuid::Uuid::nil()),
            revision: 1,
            roots: Vec::new(),
            credentials: Credentials::Anonymous,
            mirrors: Vec::new(),
            allow_networks: Vec::new(),
            egress_proxy: None,
            ca_bundle: None,
        }),
        method,
        urls: Vec::new(),
        headers: Headers::new(),
        coding: Coding::Raw,
        digest_known,
        limit: 0,
    }
}

fn head(status: u16, framed: bool, headers: &[(&str, &str)]) -> Head {
    Head {
        status,
        headers: headers.iter().copied().collect(),
        url: "http://h.example/".parse().unwrap(),
        length: None,
        framed,
    }
}

fn basis(etag: Option<&str>, length: Option<u64>, digest_known: bool) -> Basis {
    Basis {
        etag: etag.map(str::to_owned),
        length,
        coding: None,
        digest_known,
    }
}

#[test]
fn only_a_whole_framed_answer_with_something_to_recognise_it_by_has_a_basis() {
    let strong: &[(&str, &str)] = &[("etag", "\"a\"")];
    let weak: &[(&str, &str)] = &[
        ("etag", "W/\"a\""),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    for (method, digest_known, status, framed, headers, length, possible) in [
        (Method::Get, false, 200, true, strong, Some(5), true),
        (Method::Get, false, 200, true, strong, None, true),
        (Method::Get, true, 200, true, weak, Some(5), true),
        (Method::Get, true, 200, true, &[], Some(5), true),
        (Method::Get, true, 200, true, &[], None, false),
        (Method::Get, false, 200, true, weak, Some(5), false),
        (Method::Get, false, 200, true, &[], Some(5), false),
        (Method::Get, false, 200, false, strong, None, false),
        (Method::Get, true, 206, true, strong, Some(5), false),
        (Method::Get, true, 404, true, strong, Some(5), false),
        (Method::Head, true, 200, true, strong, Some(5), false),
    ] {
        let found = Basis::of(
            &request(method, digest_known),
            &head(status, framed, headers),
            length,
        );
        assert_eq!(
            found.is_some(),
            possible,
            "{method:?} {digest_known} {status} {framed} {headers:?}"
        );
    }
}

#[test]
fn the_rest_is_asked_for_under_the_strong_validator_alone() {
    let first: HeaderMap = [
        ("accept", "a/b"),
        ("if-none-match", "\"z\""),
        ("range", "bytes=1-2"),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
    .collect();
    let asked = basis(Some("\"a\""), None, true).ask(&first, 7);
    let fields: Vec<_> = asked
        .iter()
        .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
        .collect();
    assert_eq!(fields, ["accept: a/b", "range: bytes=7-", "if-range: \"a\""]);
    let asked = basis(None, Some(9), true).ask(&first, 7);
    assert!(asked.contains_key(RANGE) && !asked.contains_key(IF_RANGE));
}

#[test]
fn only_the_very_same_rest_goes_on() {
    let strong = basis(Some("\"a\""), Some(10), false);
    let open = basis(Some("\"a\""), None, false);
    let digest = basis(None, Some(10), true);
    let both = basis(Some("\"a\""), Some(10), true);
    let etag = ("etag", "\"a\"");
    for (basis, headers, goes_on) in [
        (&strong, vec![etag, ("content-range", "bytes 4-9/10")], true),
        (&open, vec![etag, ("content-range", "bytes 4-9/10")], true),
        (&digest, vec![("content-range", "bytes 4-9/10")], true),
        (
            &digest,
            vec![("etag", "\"b\""), ("content-range", "bytes 4-9/10")],
            true,
        ),
        (&both, vec![("content-range", "bytes 4-9/10")], true),
        (
            &both,
            vec![("etag", "\"b\""), ("content-range", "bytes 4-9/10")],
            false,
        ),
        (&strong, vec![("content-range", "bytes 4-9/10")], false),
        (
            &strong,
            vec![("etag", "\"b\""), ("content-range", "bytes 4-9/10")],
            false,
        ),
        (
            &strong,
            vec![("etag", "W/\"a\""), ("content-range", "bytes 4-9/10")],
            false,
        ),
        (&strong, vec![etag, ("content-range", "bytes 4-10/11")], false),
        (&strong, vec![etag, ("content-range", "bytes 3-9/10")], false),
        (&strong, vec![etag, ("content-range", "bytes 5-9/10")], false),
        (&strong, vec![etag, ("content-range", "bytes 4-8/10")], false),
        (&open, vec![etag, ("content-range", "bytes 4-8/10")], false),
        (&strong, vec![etag, ("content-range", "bytes 4-9/*")], false),
        (&strong, vec![etag], false),
        (
            &strong,
            vec![etag, ("content-type", "multipart/byteranges")],
            false,
        ),
        (
            &strong,
            vec![
                etag,
                ("content-range", "bytes 4-9/10"),
                ("content-encoding", "gzip"),
            ],
            false,
        ),
    ] {
        let verdict = basis.judge(4, 206, &headers.iter().copied().collect());
        assert_eq!(
            matches!(verdict, Verdict::GoesOn(10)),
            goes_on,
            "{headers:?} {verdict:?}"
        );
    }
}

#[test]
fn trouble_is_asked_again_and_a_refusal_is_not() {
    let basis = basis(Some("\"a\""), Some(10), false);
    let headers = Headers::from_iter([("etag", "\"a\""), ("content-range", "bytes 4-9/10")]);
    for status in [429, 500, 502, 503, 504] {
        assert_eq!(basis.judge(4, status, &headers), Verdict::Later, "{status}");
    }
    for status in [200, 204, 301, 304, 401, 403, 404, 410, 412, 416] {
        assert!(
            matches!(basis.judge(4, status, &headers), Verdict::Other(_)),
            "{status}"
        );
    }
}

#[test]
fn content_ranges_are_read_exactly() {
    for bad in [
        "",
        "bytes",
        "bytes ",
        "bytes 0-1",
        "bytes 0-1/",
        "bytes 0-1/*",
        "bytes */10",
        "bytes -1/10",
        "bytes 1-/10",
        "bytes 2-1/10",
        "bytes 0-10/10",
        "bytes +0-1/10",
        "bytes 0-+1/10",
        "bytes 0x0-1/10",
        "bytes 0 - 1/10",
        "items 0-1/10",
        "bytes=0-1/10",
        "bytes 0-1/10/10",
        "bytes 0-1,3-4/10",
        "bytes 0-18446744073709551616/1",
    ] {
        assert_eq!(ContentRange::parse(bad), None, "{bad}");
    }
    assert!(ContentRange::parse("Bytes 0-0/1").is_some());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(first in any::<u64>(), length in 1_u64.., after in 0_u64..1 << 40) {
        let parsed = |first, last, total| ContentRange::parse(&format!("bytes {first}-{last}/{total}"));
        if let Some(last) = first.checked_add(length - 1)
            && let Some(total) = last.checked_add(1).and_then(|end| end.checked_add(after))
        {
            prop_assert_eq!(parsed(first, last, total), Some(ContentRange { first, last, total }));
            prop_assert_eq!(parsed(first, last, last), None);
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,40}", tail in "bytes [0-9*+ -]{0,24}/[0-9*]{0,22}") {
        for text in [text, tail] {
            if let Some(part) = ContentRange::parse(&text) {
                prop_assert!(part.first <= part.last && part.last < part.total);
            }
        }
    }
}
