use artifactapi_core::Key;
use artifactapi_core::plan::{Integrity, Verb};

use super::*;
use crate::kit::testing::{ask, entry};

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
fn index_pages_vary_by_accept_and_files_do_not() {
    let entry = entry(Key::new("simple/a/").unwrap());
    let vary = [("vary", "Accept".to_owned())];
    assert_eq!(PyPi.headers(&want("simple/a/", ""), &entry), vary);
    assert_eq!(PyPi.headers(&want("packages/a/b.whl", ""), &entry), []);
}
