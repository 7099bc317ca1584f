use std::io::Cursor;

use artifactapi_core::plan::{Integrity, Verb};
use artifactapi_core::{Digest, Key, Time};
use serde_json::{Value, json};

use super::*;
use crate::kit::testing::{REMOTE, ask, get, served};

const MODERN: &str = include_str!("../fixtures/pypi/modern.json");
const MIRROR: &str = include_str!("../fixtures/pypi/mirror.html");
const ROOT_JSON: &str = include_str!("../fixtures/pypi/root.json");
const ROOT_HTML: &str = include_str!("../fixtures/pypi/root.html");

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

fn facts(document: &str, media: &str) -> Vec<Fact> {
    let url = "https://index.example/simple/demo-pkg/".parse().unwrap();
    let digest = Digest::sha256(document.as_bytes());
    let mut doc = Cursor::new(document.as_bytes().to_vec());
    let want = want("simple/demo-pkg/", "");
    PyPi.facts(&want, &mut doc, &source(&url, media, &digest))
        .unwrap()
}

fn fact<'f>(facts: &'f [Fact], id: &str) -> &'f Fact {
    let found: Vec<_> = facts.iter().filter(|fact| fact.id == id).collect();
    assert_eq!(found.len(), 1, "{id} in {facts:#?}");
    found[0]
}

#[test]
fn pages_are_indexes_and_the_list_of_projects_is_a_service_document() {
    let page = want("simple/demo-pkg/", JSON);
    assert_eq!((page.class.clone(), page.show.0), (Class::Index, "json"));
    assert_eq!(page.subject.package.as_deref(), Some("demo-pkg"));
    assert!(!page.service);
    let root = want("simple/", "");
    assert_eq!(
        (root.class, root.show.0, root.service),
        (Class::Index, "text", true)
    );
}

#[test]
fn other_spellings_are_redirected_to_the_canonical_one() {
    for (path, target) in [
        ("simple", "simple/"),
        ("simple/demo-pkg", "demo-pkg/"),
        ("simple/Foo.Bar_baz", "foo-bar-baz/"),
        ("simple/Foo.Bar_baz/", "../foo-bar-baz/"),
        ("packages/Foo.Bar/a+b%20c.whl", "../foo-bar/a+b%20c.whl"),
    ] {
        let Plan::Redirect(to) = PyPi.route(&get(path), &REMOTE).unwrap() else {
            panic!("{path}");
        };
        assert_eq!(to, target, "{path}");
        let base: Url = format!("http://h.example/r/{path}").parse().unwrap();
        let key = base.join(&to).unwrap().path().replacen("/r/", "", 1);
        assert!(
            matches!(PyPi.route(&get(&key), &REMOTE), Ok(Plan::Serve(_))),
            "{key}"
        );
    }
}

#[test]
fn files_and_sidecars_are_told_of_by_their_project_page() {
    for (file, media) in [
        ("a-1.0-py3-none-any.whl", "application/zip"),
        ("a-1.0-py3-none-any.whl.metadata", "text/plain; charset=utf-8"),
        ("a-1.0-py3-none-any.whl.asc", "application/pgp-signature"),
        (
            "a-1.0-py3-none-any.whl.provenance",
            "application/vnd.pypi.integrity.v1+json",
        ),
    ] {
        let found = want(&format!("packages/a/{file}"), "");
        let Class::Immutable(Integrity::Told { owner, id }) = &found.class else {
            panic!("{found:?}");
        };
        assert_eq!((id.as_str(), found.media), (file, Some(media)));
        assert_eq!(**owner, want("simple/a/", ""));
        assert_eq!(found.subject.version.as_deref(), Some("a-1.0-py3-none-any.whl"));
        assert_eq!(PyPi.order(&found, &REMOTE).at, At::Fact);
    }
    let encoded = want("packages/torch/torch-2.0%2Bcu118.whl", "");
    assert_eq!(encoded, want("packages/torch/torch-2.0+cu118.whl", ""));
}

#[test]
fn everything_else_is_not_there_and_nothing_is_written() {
    for path in [
        "",
        "pypi/a/json",
        "simple/a/b",
        "simple/-/",
        "packages/a/",
        "packages/a/b/c",
        "packages/a/b%2Fc",
        "legacy/",
    ] {
        let fault = PyPi.route(&get(path), &REMOTE).unwrap_err();
        assert_eq!(fault.kind.status(), 404, "{path}");
    }
    for verb in [Verb::Post, Verb::Put, Verb::Delete, Verb::Patch] {
        let fault = PyPi.route(&ask(verb, "simple/a/"), &REMOTE).unwrap_err();
        assert_eq!(fault.kind.status(), 405);
    }
}

#[test]
fn an_index_url_is_the_simple_root_or_the_root_above_it() {
    for (index, page, root) in [
        ("https://h.example", "simple/a/", "simple/"),
        ("https://h.example/simple", "a/", ""),
        ("https://h.example/simple/", "a/", ""),
        ("https://h.example/x/simplest/", "simple/a/", "simple/"),
        ("https://h.example/root/dev/+simple/", "a/", ""),
        ("https://h.example/x/", "simple/a/", "simple/"),
    ] {
        let url = index.parse().unwrap();
        let repo = Repo {
            index: Some(&url),
            ..REMOTE
        };
        let order = PyPi.order(&want("simple/a/", ""), &repo);
        assert_eq!(order.at, At::Index(page.to_owned()), "{index}");
        assert!(order.accept.starts_with(JSON) && !order.identity);
        let order = PyPi.order(&want("simple/", ""), &repo);
        assert_eq!(order.at, At::Index(root.to_owned()), "{index}");
    }
}

#[test]
fn json_keeps_everything_but_where_files_are() {
    let (body, media) = derived("simple/demo-pkg/", JSON, MODERN, JSON);
    assert_eq!(media, JSON);
    assert!(
        body.contains(r#"{"deep": [1,  2]}"#),
        "raw values stay as they were written"
    );
    let found: Value = serde_json::from_str(&body).unwrap();
    let mut expected: Value = serde_json::from_str(MODERN).unwrap();
    let files = expected["files"].as_array_mut().unwrap();
    files.truncate(3);
    for (file, name) in files.iter_mut().zip([
        "demo_pkg-1.0.tar.gz",
        "demo_pkg-1.1+local-py3-none-any.whl",
        "demo_pkg-2.0-py3-none-any.whl",
    ]) {
        file["url"] = json!(format!("../../packages/demo-pkg/{name}"));
        file.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    files[1]["provenance"] = json!("../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl.provenance");
    files[2]["core-metadata"] = json!(true);
    assert_eq!(found, expected);
}

#[test]
fn json_becomes_html_with_every_attribute_of_the_standards() {
    let html = page("text/html", MODERN, JSON);
    for line in [
        "<meta name=\"pypi:repository-version\" content=\"1.4\">",
        "<meta name=\"pypi:project-status\" content=\"archived\">",
        "<meta name=\"pypi:project-status-reason\" content=\"moved \u{2192} elsewhere\">",
        "<a href=\"../../packages/demo-pkg/demo_pkg-1.0.tar.gz#sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-upload-time=\"2026-01-02T03:04:05.678901Z\" data-gpg-sig=\"true\" \
         data-yanked=\"broken &quot;build&quot; &lt;&amp;&gt;\">demo_pkg-1.0.tar.gz</a><br>",
        "<a href=\"../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl#sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" \
         data-requires-python=\"&gt;=3.9,&lt;4\" data-upload-time=\"2026-01-03T00:00:00Z\" \
         data-core-metadata=\"sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-dist-info-metadata=\"sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-provenance=\"../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl.provenance\">\
         demo_pkg-1.1+local-py3-none-any.whl</a><br>",
        "<a href=\"../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl\" data-upload-time=\"yesterday\" \
         data-core-metadata=\"true\" data-dist-info-metadata=\"true\">demo_pkg-2.0-py3-none-any.whl</a><br>",
    ] {
        assert!(html.lines().any(|found| found == line), "{line}\nnot in\n{html}");
    }
    assert_eq!(html.matches("<a ").count(), 3);
}

#[test]
fn html_becomes_json_of_the_oldest_version_with_upload_times() {
    let (body, media) = derived("simple/demo-pkg/", JSON, MIRROR, HTML);
    assert_eq!(media, JSON);
    let found: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({
        "meta": {"api-version": "1.0"},
        "name": "demo-pkg",
        "project-status": {"status": "quarantined", "reason": "looks \"odd\""},
        "files": [
            {
                "filename": "demo_pkg-1.0.tar.gz",
                "url": "../../packages/demo-pkg/demo_pkg-1.0.tar.gz",
                "hashes": {"sha256": HELLO.trim_start_matches("sha256:")},
                "gpg-sig": true,
                "upload-time": "2026-01-02T03:04:05.678901Z",
            },
            {
                "filename": "demo_pkg-1.1+local-py3-none-any.whl",
                "url": "../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl",
                "hashes": {"md5": "b1946ac92492d2347c6235b4d2611184"},
                "requires-python": ">=3.9,<4",
                "core-metadata": {"sha256": HELLO.trim_start_matches("sha256:")},
                "yanked": true,
            },
            {
                "filename": "demo_pkg-2.0-py3-none-any.whl",
                "url": "../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl",
                "hashes": {},
                "core-metadata": true,
                "yanked": "bad & worse",
                "provenance": "../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl.provenance",
            },
        ],
    });
    assert_eq!(found, expected);
}

#[test]
fn json_that_was_served_as_html_says_the_same_when_read_back() {
    let html = page("text/html", MODERN, JSON);
    let mut back: Value = serde_json::from_str(&page(JSON, &html, HTML)).unwrap();
    let mut direct: Value = serde_json::from_str(&page(JSON, MODERN, JSON)).unwrap();
    for file in back["files"].as_array_mut().unwrap() {
        file.as_object_mut().unwrap().retain(|name, _| name != "hashes");
    }
    let in_html = [
        "filename",
        "url",
        "requires-python",
        "gpg-sig",
        "upload-time",
        "provenance",
    ];
    for (file, back) in direct["files"]
        .as_array_mut()
        .unwrap()
        .iter()
        .zip(back["files"].as_array().unwrap())
    {
        for name in in_html {
            if file[name] != json!("yesterday") {
                assert_eq!(file[name], back[name], "{name}");
            }
        }
    }
}

#[test]
fn the_form_decides_the_media_type_and_varies_by_accept() {
    for (accept, media) in [
        (JSON, JSON),
        (
            "application/vnd.pypi.simple.v1+html",
            "application/vnd.pypi.simple.v1+html",
        ),
        ("*/*", HTML),
    ] {
        assert_eq!(derived("simple/demo-pkg/", accept, MODERN, JSON).1, media);
    }
}

#[test]
fn the_list_of_projects_is_served_in_both_forms_from_both_forms() {
    let json = derived("simple/", JSON, ROOT_JSON, JSON).0;
    let expected = json!({
        "meta": {"api-version": "1.0", "_last-serial": 9},
        "projects": [{"name": "Demo.Pkg", "_last-serial": 7}, {"name": "six"}],
    });
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
    let anchors = "<a href=\"demo-pkg/\">Demo.Pkg</a><br>\n<a href=\"six/\">six</a><br>\n";
    for (document, media) in [(ROOT_JSON, JSON), (ROOT_HTML, HTML)] {
        assert!(
            derived("simple/", "", document, media).0.contains(anchors),
            "{media}"
        );
    }
    let names = derived("simple/", JSON, ROOT_HTML, HTML).0;
    assert!(
        names.contains(r#""projects":[{"name":"Demo.Pkg"},{"name":"six"}]"#),
        "{names}"
    );
}

#[test]
fn facts_say_where_json_files_are_and_what_they_must_be() {
    let facts = facts(MODERN, JSON);
    let sdist = fact(&facts, "demo_pkg-1.0.tar.gz");
    assert_eq!(
        sdist.url,
        "https://files.example/packages/aa/bb/demo_pkg-1.0.tar.gz"
    );
    assert_eq!(sdist.size, Some(6));
    assert_eq!(sdist.digests[0], HELLO.parse().unwrap());
    assert_eq!(sdist.digests[1].alg(), artifactapi_core::Alg::Md5);
    let time = Time::parse_rfc3339("2026-01-02T03:04:05.678901Z").unwrap();
    assert_eq!(sdist.published, Some((time, "upload-time".to_owned())));
    assert_eq!(sdist.subject.package.as_deref(), Some("demo-pkg"));
    assert_eq!(sdist.subject.version.as_deref(), Some("demo_pkg-1.0.tar.gz"));
    assert_eq!(
        fact(&facts, "demo_pkg-1.0.tar.gz.asc").url,
        format!("{}.asc", sdist.url)
    );

    let wheel = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl");
    assert_eq!(
        wheel.url,
        "https://index.example/packages/cc/demo_pkg-1.1%2Blocal-py3-none-any.whl"
    );
    let metadata = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.metadata");
    assert_eq!(metadata.url, format!("{}.metadata", wheel.url));
    assert_eq!(metadata.digests, [HELLO.parse().unwrap()]);
    assert_eq!(metadata.subject, artifactapi_core::plan::Subject::default());
    let provenance = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.provenance");
    assert_eq!(
        provenance.url,
        "https://index.example/integrity/demo-pkg/1.1/demo_pkg-1.1/provenance"
    );

    let relative = fact(&facts, "demo_pkg-2.0-py3-none-any.whl");
    assert_eq!(
        relative.url,
        "https://index.example/files/demo_pkg-2.0-py3-none-any.whl?sig=secret"
    );
    assert_eq!((relative.published.clone(), relative.size), (None, None));
    let metadata = fact(&facts, "demo_pkg-2.0-py3-none-any.whl.metadata");
    assert_eq!(
        metadata.url,
        "https://index.example/files/demo_pkg-2.0-py3-none-any.whl.metadata?sig=secret"
    );
    assert_eq!(facts.len(), 7, "{facts:#?}");
}

#[test]
fn facts_of_html_resolve_against_its_base() {
    let facts = facts(MIRROR, HTML);
    let url = |id: &str| fact(&facts, id).url.as_str();
    assert_eq!(
        url("demo_pkg-1.0.tar.gz"),
        "https://files.example/dl/demo_pkg-1.0.tar.gz"
    );
    assert_eq!(
        url("demo_pkg-1.0.tar.gz.asc"),
        "https://files.example/dl/demo_pkg-1.0.tar.gz.asc"
    );
    assert_eq!(
        url("demo_pkg-1.1+local-py3-none-any.whl"),
        "https://files.example/abs/demo_pkg-1.1%2Blocal-py3-none-any.whl?x=1&y=2"
    );
    assert_eq!(
        url("demo_pkg-2.0-py3-none-any.whl"),
        "https://other.example/demo_pkg-2.0-py3-none-any.whl"
    );
    assert_eq!(
        url("demo_pkg-2.0-py3-none-any.whl.provenance"),
        "https://files.example/dl/prov/2.0.json"
    );
    let metadata = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.metadata");
    assert_eq!(metadata.digests, [HELLO.parse().unwrap()]);
    assert_eq!(facts.len(), 7, "{facts:#?}");
}

#[test]
fn a_wheel_has_a_metadata_fact_unless_its_index_denies_it() {
    let index = |metadata: &str, name: &str| {
        let json = format!(r#"{{"files":[{{"filename":"{name}","url":"{name}","hashes":{{}}{metadata}}}]}}"#);
        facts(&json, JSON).len()
    };
    assert_eq!(index("", "a.whl"), 2);
    assert_eq!(index(r#","core-metadata":false"#, "a.whl"), 1);
    assert_eq!(index("", "a.zip"), 1);
    assert_eq!(index(r#","core-metadata":true"#, "a.zip"), 2);
}

#[test]
fn the_list_of_projects_has_no_facts() {
    let digest = Digest::sha256(b"");
    let url = "https://index.example/simple/".parse().unwrap();
    let found = PyPi.facts(
        &want("simple/", ""),
        &mut Cursor::new(ROOT_JSON),
        &source(&url, JSON, &digest),
    );
    assert_eq!(found.unwrap(), []);
}

#[test]
fn a_page_that_is_no_page_is_a_fault_of_upstream() {
    let url = "https://index.example/simple/demo-pkg/".parse().unwrap();
    let digest = Digest::sha256(b"");
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"files":{}}"#,
        r#"{"files":[1]}"#,
        r#"{"files":[]}x"#,
        "{\"files\":[],\"\u{fffd}\":\"\\ud800\"}x",
    ] {
        let source = source(&url, JSON, &digest);
        let want = want("simple/demo-pkg/", JSON);
        let fault = PyPi.derive(&want, &mut Cursor::new(body), &source).unwrap_err();
        assert_eq!(fault.kind.status(), 502, "{body}");
        assert!(PyPi.facts(&want, &mut Cursor::new(body), &source).is_err());
    }
}

#[test]
fn a_login_page_is_a_page_without_files() {
    let html = page(
        "text/html",
        "<!DOCTYPE html><html><a href='/login'>Log in</a></html>",
        HTML,
    );
    assert!(!html.contains("<a "), "{html}");
}

#[test]
fn index_pages_vary_by_accept_and_files_do_not() {
    let entry = crate::kit::testing::entry(Key::new("simple/a/").unwrap());
    let vary = [("vary", "Accept".to_owned())];
    assert_eq!(PyPi.headers(&want("simple/a/", ""), &entry), vary);
    assert_eq!(PyPi.headers(&want("packages/a/b.whl", ""), &entry), []);
}
