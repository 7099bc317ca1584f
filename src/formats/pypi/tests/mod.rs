mod facts;
mod pages;
mod routes;

use std::io::Cursor;

use artifactapi_core::Digest;

use super::*;
use crate::kit::testing::{REMOTE, get, served};

const MODERN: &str = include_str!("../../fixtures/pypi/modern.json");
const MIRROR: &str = include_str!("../../fixtures/pypi/mirror.html");
const ROOT_JSON: &str = include_str!("../../fixtures/pypi/root.json");
const ROOT_HTML: &str = include_str!("../../fixtures/pypi/root.html");

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "text/html; charset=utf-8";
const HELLO: &str = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn want(path: &str, accept: &str) -> Want {
    let mut ask = get(path);
    ask.headers.append("accept", accept);
    served(PyPi.route(&ask, &REMOTE))
}

fn source<'a>(url: &'a Url, media: &'a str, digest: &'a Digest) -> Source<'a> {
    Source {
        url: Some(url),
        media,
        digest,
    }
}

fn derived(path: &str, accept: &str, document: &str, media: &str) -> (String, &'static str) {
    let url = "https://index.example/simple/demo-pkg/".parse().unwrap();
    let digest = Digest::sha256(document.as_bytes());
    let mut doc = Cursor::new(document.as_bytes().to_vec());
    let derived = PyPi.derive(&want(path, accept), &mut doc, &source(&url, media, &digest));
    let Derived::Bytes { media, body } = derived.unwrap() else {
        panic!("not derived");
    };
    (String::from_utf8(body).unwrap(), media)
}

fn page(accept: &str, document: &str, media: &str) -> String {
    derived("simple/demo-pkg/", accept, document, media).0
}
