//! The laws under generated and under mutated input.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Names of every package type.
fn types() -> impl Strategy<Value = &'static str> {
    let names: Vec<_> = ALL.iter().map(|format| format.describe().name).collect();
    select(names)
}

/// Pieces of paths: words of the types, digests, escapes, and what attackers try.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "simple",
            "packages",
            "a",
            "Foo.Bar",
            "foo-bar",
            "a-1.0.whl",
            "a-1.0.whl.metadata",
            "..",
            ".",
            "",
            "%2e%2e",
            "%2F",
            "a%2fb",
            "%3F",
            "%00",
            "\\",
            "a%20b",
            "a+b",
            "%C3%BC",
            "%ff",
            "a:b",
            "%25",
            "@s",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.tar.gz",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    (proptest::collection::vec(piece, 0..5), any::<bool>())
        .prop_map(|(pieces, slash)| format!("{}{}", pieces.join("/"), if slash { "/" } else { "" }))
}

fn request() -> impl Strategy<Value = String> {
    let verb = select(vec!["GET", "GET", "PUT", "DELETE", "POST", "PATCH"]);
    let role = select(vec!["remote", "local"]);
    let accept = select(vec![
        "",
        "*/*",
        "text/html",
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.v1+html",
    ]);
    (types(), verb, role, path(), "\\PC{0,20}", accept).prop_map(
        |(format, verb, role, path, query, accept)| {
            let line = |text: &str| text.replace('\n', "");
            format!(
                "{format} {verb} {role}\n{}\n{}\n{accept}\n",
                line(&path),
                line(&query)
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_request_to_any_type_is_lawful(request in request()) {
        prop_assert_eq!(check(request.as_bytes()), Ok(()));
    }

    #[test]
    fn any_bytes_are_lawful(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(check(&bytes), Ok(()));
        let index = [b"pypi GET remote\nsimple/a/\n\n\n\n".as_slice(), &bytes].concat();
        prop_assert_eq!(check(&index), Ok(()));
    }
}

/// The seeds of the fuzz target, by file name.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/seeds");
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|found| found.unwrap())
        .map(|found| {
            (
                found.file_name().into_string().unwrap(),
                std::fs::read(found.path()).unwrap(),
            )
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_type_has_a_seed_and_every_seed_is_lawful() {
    let seeds = seeds();
    for (name, seed) in &seeds {
        assert_eq!(check(seed), Ok(()), "{name}");
    }
    for format in ALL {
        let name = format.describe().name;
        assert!(
            seeds.iter().any(|(_, seed)| seed.starts_with(name.as_bytes())),
            "{name}"
        );
    }
}

/// A small generator of numbers, so that a run is the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides.max(1)
    }
}

/// Pieces that mean something somewhere.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    ",",
    "null",
    "true",
    "\"files\":[",
    "\"url\":\"",
    "\"hashes\":{}",
    "\"meta\":{",
    "<a href=\"",
    "</a>",
    "</html>",
    "<base href='",
    "&#13;",
    "&amp;",
    "data-yanked",
    "#sha256=",
    "//h.example/",
    "\u{fffd}",
];

/// Changes an input in one place.
fn mutate(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + dice.below(12)).min(input.len());
    match dice.below(5) {
        0 if at < input.len() => input[at] = u8::try_from(dice.below(256)).unwrap(),
        1 => drop(input.drain(at..end)),
        2 => {
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
        3 => {
            let from = dice.below(other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let word = WORDS[dice.below(WORDS.len())];
            input.splice(at..at, word.bytes());
        }
    }
}

#[test]
fn mutated_seeds_are_lawful() {
    let seeds = seeds();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..4_000 {
        let (name, seed) = &seeds[dice.below(seeds.len())];
        let (_, other) = &seeds[dice.below(seeds.len())];
        let mut input = seed.clone();
        for _ in 0..=dice.below(6) {
            mutate(&mut input, other, &mut dice);
        }
        let verdict = check(&input);
        assert_eq!(
            verdict,
            Ok(()),
            "round {round} from {name}: {}",
            String::from_utf8_lossy(&input)
        );
    }
}

/// Text that may stand in a JSON string or an attribute.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{1,12}",
        "\\PC{0,12}",
        Just("a\r\n\0<&>\"'".to_owned())
    ]
}

/// A page in JSON and the same in HTML, of files on hosts of upstream.
fn pages() -> impl Strategy<Value = (String, String)> {
    let host = select(vec![
        "https://files.upstream.example/",
        "//cdn.upstream.example/x/",
        "/p/",
        "../../",
        "",
    ]);
    let file = ("[a-zA-Z0-9._+ ü%#&-]{1,12}", host, text(), text(), text());
    proptest::collection::vec(file, 0..6).prop_map(|files| {
        let mut json = Vec::new();
        let mut html = "<!DOCTYPE html><html><base href=\"https://base.upstream.example/\">".to_owned();
        for (name, host, python, reason, other) in files {
            let name = format!("{name}.whl");
            let url = format!("{host}{}", artifactapi_core::key::encode_path(&name));
            let escape = |text: &str| {
                text.replace('&', "&amp;")
                    .replace('"', "&quot;")
                    .replace('<', "&lt;")
            };
            write!(
                html,
                "<a href=\"{}#sha256=ab\" data-requires-python=\"{}\" data-yanked=\"{}\" \
                 data-provenance=\"https://prov.upstream.example/{}\">{}</a>",
                escape(&url),
                escape(&python),
                escape(&reason),
                escape(&other),
                escape(&name),
            )
            .unwrap();
            json.push(serde_json::json!({
                "filename": name, "url": url, "hashes": {"sha256": other}, "requires-python": python,
                "yanked": reason, "provenance": format!("https://prov.upstream.example/{other}"),
                "core-metadata": {"sha256": other}, "size": other.len(), "x": [python],
            }));
        }
        let json =
            serde_json::json!({"meta": {"api-version": "1.3"}, "name": "a", "versions": [], "files": json});
        (json.to_string(), html + "</html>")
    })
}

/// Derives a page of the project `a`; gives it with the names of the facts it was derived from.
fn derive(document: &str, media: &str, accept: &str) -> (String, Vec<String>) {
    use crate::{Derived, Source, pypi::PyPi};
    let mut ask = crate::kit::testing::get("simple/a/");
    ask.headers.append("accept", accept);
    let want = crate::kit::testing::served(PyPi.route(&ask, &crate::kit::testing::REMOTE));
    let url = "https://index.upstream.example/simple/a/".parse().unwrap();
    let digest = artifactapi_core::Digest::sha256(b"");
    let source = Source {
        url: Some(&url),
        media,
        digest: &digest,
    };
    let mut doc = std::io::Cursor::new(document);
    let facts = PyPi.facts(&want, &mut doc, &source).unwrap();
    let Derived::Bytes { body, .. } = PyPi.derive(&want, &mut doc, &source).unwrap() else {
        panic!("not derived");
    };
    let ids = facts.into_iter().map(|fact| fact.id).collect();
    (String::from_utf8(body).unwrap(), ids)
}

proptest! {
    #[test]
    fn pages_lead_nowhere_but_to_files_that_facts_know((json, html) in pages()) {
        const JSON: &str = "application/vnd.pypi.simple.v1+json";
        for (document, media) in [(&json, JSON), (&html, "text/html")] {
            let (text, _) = derive(document, media, "text/html");
            prop_assert!(!text.contains("upstream.example"), "{}", text);
            let (shown, facts) = derive(document, media, JSON);
            prop_assert!(!shown.contains("upstream.example"), "{}", shown);
            let page: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let here: url::Url = "http://h.example/simple/a/".parse().unwrap();
            for file in page["files"].as_array().unwrap() {
                let url = here.join(file["url"].as_str().unwrap()).unwrap();
                let ask = crate::kit::testing::get(url.path().trim_start_matches('/'));
                let want = crate::kit::testing::served(crate::pypi::PyPi.route(&ask, &crate::kit::testing::REMOTE));
                prop_assert_eq!(want.key.file_name(), file["filename"].as_str().unwrap());
                prop_assert!(facts.iter().any(|id| id == want.key.file_name()));
                let metadata = format!("{}.metadata", want.key.file_name());
                prop_assert!(facts.contains(&metadata), "{}", metadata);
            }
        }
    }
}
