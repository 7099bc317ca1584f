//! Index pages: negotiation, rendering one form from the other, revalidation, URLs that lead back through us.

use std::time::Duration;

use serde_json::json;

use super::{first_file, html_page, json_page, python, resolve, short_lived};
use crate::support::python::{self as index, File, JSON};
use crate::support::script::Script;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

fn file(url: &str) -> File {
    File::new(WHEEL, url, b"wheel").metadata("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
}

#[tokio::test]
async fn json_is_asked_first_and_html_rendered_from_it() {
    let (upstream, app) = python(json!({})).await;
    let url = format!("{}/files/{WHEEL}", upstream.url());
    upstream.set(
        "/simple/demo/",
        index::json_page("demo", &[file(&url)]).etag("v1"),
    );
    let page = json_page(&app, "demo").await;
    assert_eq!(page["name"], "demo");
    assert_eq!(first_file(&page)["filename"], WHEEL);
    assert_eq!(first_file(&page)["hashes"]["sha256"], file(&url).sha256);
    assert_eq!(first_file(&page)["size"], 5);
    let html = html_page(&app, "demo").await.text();
    assert!(html.contains(&format!(">{WHEEL}</a>")), "{html}");
    assert!(html.contains(&format!("#sha256={}", file(&url).sha256)), "{html}");
    assert!(html.contains("data-core-metadata"), "{html}");
    let asked = upstream.hits("/simple/demo/");
    assert_eq!(asked.len(), 1, "both forms from one document");
    let accept = asked[0].request.header("accept").unwrap();
    assert!(accept.contains(JSON) && accept.contains("text/html"), "{accept}");
}

#[tokio::test]
async fn an_html_upstream_serves_json_clients_too() {
    let (upstream, app) = python(json!({})).await;
    // Relative, as many indexes have it, and with an attribute of PEP 503.
    let relative = format!("../../files/{WHEEL}");
    let mut page = index::html_page("demo", &[file(&relative)]);
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    page.body = text
        .replace("<a href", "<a data-requires-python=\"&gt;=3.8\" href")
        .into();
    upstream.set("/simple/demo/", page);
    upstream.set(&format!("/files/{WHEEL}"), Script::new("wheel"));
    let page = json_page(&app, "demo").await;
    let found = first_file(&page);
    assert_eq!(found["filename"], WHEEL);
    assert_eq!(found["hashes"]["sha256"], file("").sha256);
    assert_eq!(found["requires-python"], ">=3.8");
    assert!(found["core-metadata"].is_object(), "{page}");
    let path = resolve(&app, "demo", found["url"].as_str().unwrap());
    app.get(&path).await.expect_bytes(b"wheel");
}

#[tokio::test]
async fn urls_lead_back_through_us_and_are_the_same_in_both_forms() {
    let (upstream, app) = python(json!({})).await;
    let url = format!("{}/deep/ab/cd/{WHEEL}", upstream.url());
    upstream.set("/simple/demo/", index::json_page("demo", &[file(&url)]));
    upstream.set(&format!("/deep/ab/cd/{WHEEL}"), Script::new("wheel"));
    let page = json_page(&app, "demo").await;
    let from_json = first_file(&page)["url"].as_str().unwrap().to_owned();
    assert!(!from_json.contains("://"), "relative: {from_json}");
    let path = resolve(&app, "demo", &from_json);
    assert!(path.ends_with(&format!("/packages/demo/{WHEEL}")), "{path}");
    let html = html_page(&app, "demo").await.text();
    let href = html
        .split("href=\"")
        .nth(1)
        .unwrap()
        .split(['"', '#'])
        .next()
        .unwrap();
    assert_eq!(resolve(&app, "demo", href), path);
    for text in [page.to_string(), html] {
        assert!(
            !text.contains(&upstream.address().to_string()),
            "no upstream is left in it: {text}"
        );
    }
    app.get(&path).await.expect_bytes(b"wheel");
}

#[tokio::test]
async fn names_are_normalised_and_unknown_projects_are_404() {
    let (upstream, app) = python(json!({})).await;
    upstream.set("/simple/my-pkg/", index::json_page("my-pkg", &[]));
    for spelling in ["My_Pkg", "my.pkg", "my--pkg"] {
        let reply = app.read("p", &format!("simple/{spelling}/")).await;
        match reply.status {
            200 => {}
            301 | 308 => assert!(reply.header("location").contains("my-pkg"), "{:?}", reply.headers),
            other => panic!("{spelling}: {other}"),
        }
    }
    app.read("p", "simple/my-pkg/").await.expect(200);
    assert_eq!(app.read("p", "simple/nothing/").await.status, 404);
    assert!(
        upstream
            .all()
            .iter()
            .all(|hit| ["/simple/my-pkg/", "/simple/nothing/"].contains(&hit.request.path()))
    );
}

#[tokio::test]
async fn an_expired_page_costs_a_304_and_pages_of_our_own_have_etags() {
    let (upstream, app) = python(short_lived()).await;
    upstream.set(
        "/simple/demo/",
        index::json_page("demo", &[file("http://files.example/x.whl")]).etag("v1"),
    );
    let first = html_page(&app, "demo").await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"'), "{:?}", first.headers);
    let same = app
        .read_with(
            "p",
            "simple/demo/",
            &[("accept", "text/html"), ("if-none-match", &etag)],
        )
        .await;
    assert_eq!(same.status, 304);
    let json = app.read_with("p", "simple/demo/", &[("accept", JSON)]).await;
    assert_ne!(json.header("etag"), etag, "another form, another tag");
    assert!(
        json.header("vary").to_lowercase().contains("accept"),
        "{:?}",
        json.headers
    );
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let again = html_page(&app, "demo").await;
    assert_eq!(
        (again.outcome(), again.header("etag")),
        ("revalidated", etag.as_str())
    );
    let hits = upstream.hits("/simple/demo/");
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[1].request.header("if-none-match"), Some("\"v1\""));
    assert_eq!(hits[1].bytes(), 0);
}

#[tokio::test]
async fn a_new_release_shows_after_the_ttl() {
    let (upstream, app) = python(short_lived()).await;
    upstream.set(
        "/simple/demo/",
        index::json_page("demo", &[file("http://files.example/x.whl")]),
    );
    assert_eq!(
        json_page(&app, "demo").await["files"].as_array().unwrap().len(),
        1
    );
    let newer = File::new(
        "demo-1.1-py3-none-any.whl",
        "http://files.example/y.whl",
        b"newer",
    );
    let files = [file("http://files.example/x.whl"), newer];
    upstream.set("/simple/demo/", index::json_page("demo", &files));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(
        json_page(&app, "demo").await["files"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn pages_outlive_their_upstream() {
    let (mut upstream, app) = python(short_lived()).await;
    upstream.set(
        "/simple/demo/",
        index::json_page("demo", &[file("http://files.example/x.whl")]),
    );
    json_page(&app, "demo").await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    upstream.refuse().await;
    let html = html_page(&app, "demo").await;
    assert_eq!(html.outcome(), "stale");
    assert!(html.text().contains(WHEEL));
}

#[tokio::test]
async fn an_index_elsewhere_may_be_a_root_or_a_simple_root() {
    let (root, simple) = (
        crate::support::upstream::Upstream::start(),
        crate::support::upstream::Upstream::start(),
    );
    let app = crate::support::app::App::start().await;
    for (name, index_url) in [
        ("root", root.url()),
        ("simple", format!("{}/pypi/simple/", simple.url())),
    ] {
        app.create_remote(
            name,
            "pypi",
            "http://files.example/",
            json!({"index_url": index_url}),
        )
        .await;
    }
    root.set("/simple/demo/", index::json_page("demo", &[]));
    simple.set("/pypi/simple/demo/", index::json_page("demo", &[]));
    app.read("root", "simple/demo/").await.expect(200);
    app.read("simple", "simple/demo/").await.expect(200);
}

#[tokio::test]
async fn a_page_that_is_no_index_is_refused_and_not_stored() {
    let (upstream, app) = python(json!({})).await;
    let login = Script::new("<html><body>Please log in").header("content-type", "text/html");
    for (project, script) in [
        (
            "cut",
            Script::new("{\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"cut\", \"fil")
                .header("content-type", JSON),
        ),
        (
            "login",
            login.framing(crate::support::script::Framing::UntilClose),
        ),
    ] {
        upstream.set(&format!("/simple/{project}/"), script);
        let reply = app.read("p", &format!("simple/{project}/")).await;
        assert_eq!(reply.status, 502, "{project}: {}", reply.text());
    }
    assert!(app.objects("p").await.is_empty());
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_answered_by_the_copy() {
    let (upstream, app) = python(json!({"mutable_ttl": 0})).await;
    index::publish(&upstream, "demo", "demo-1.0.tar.gz", Script::new("body"));
    let before = json_page(&app, "demo").await;
    app.stored("p", "simple/demo/").await;
    let other = Script::new(r#"{"message": "back soon"}"#).header("content-type", JSON);
    upstream.set("/simple/demo/", other);
    let reply = app
        .read_with("p", "simple/demo/", &[("accept", JSON)])
        .await
        .expect(200);
    assert_eq!((reply.outcome(), reply.json()), ("stale", before));
}
