//! Generic remotes: miss, hit, HEAD, conditions, keys and rules.

mod patience;
mod ranges;
mod refresh;
mod statuses;

use reqwest::Method;
use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::Reply;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

const DATE: &str = "Tue, 05 Aug 2025 10:11:12 GMT";

/// A program with one generic remote `g` on one upstream.
async fn generic(settings: serde_json::Value) -> (Upstream, App) {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), settings).await;
    (upstream, app)
}

#[tokio::test]
async fn a_miss_is_fetched_once_and_then_a_hit_with_the_same_head() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(1, 300_000);
    let script = Script::new(body.clone()).etag("v1").last_modified(DATE);
    upstream.set(
        "/tools/a.bin",
        script.header("content-type", "application/x-tool"),
    );
    let miss = app.read("g", "tools/a.bin").await.expect_bytes(&body);
    app.stored("g", "tools/a.bin").await;
    let hit = app.read("g", "tools/a.bin").await.expect_bytes(&body);
    assert_eq!(
        (miss.header("x-artifact-source"), miss.outcome()),
        ("remote", "miss")
    );
    assert_eq!((hit.header("x-artifact-source"), hit.outcome()), ("cache", "hit"));
    for reply in [&miss, &hit] {
        assert_eq!(reply.header("content-type"), "application/x-tool");
        assert_eq!(reply.header("content-length"), "300000");
        assert_eq!(reply.header("etag"), "\"v1\"");
        assert_eq!(reply.header("last-modified"), DATE);
        assert!(
            reply.header("content-disposition").contains("a.bin"),
            "{:?}",
            reply.headers
        );
    }
    assert_eq!(upstream.count("GET", "/tools/a.bin"), 1);
}

#[tokio::test]
async fn head_asks_by_head_and_stores_nothing_on_a_miss_and_nobody_on_a_hit() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(2, 100_000);
    upstream.set("/a", Script::new(body.clone()).etag("v1"));
    let head = || async { Reply::of(app.request(Method::HEAD, &App::path("g", "a"))).await };
    let miss = head().await.expect(200);
    assert_eq!(miss.header("content-length"), "100000");
    assert_eq!(
        (upstream.count("HEAD", "/a"), upstream.count("GET", "/a")),
        (1, 0)
    );
    assert!(app.objects("g").await.is_empty());
    app.read("g", "a").await.expect_bytes(&body);
    app.stored("g", "a").await;
    let hit = head().await.expect(200);
    assert_eq!(hit.header("content-length"), "100000");
    assert_eq!(hit.header("etag"), "\"v1\"");
    assert_eq!(
        (upstream.count("HEAD", "/a"), upstream.count("GET", "/a")),
        (1, 1)
    );
}

#[tokio::test]
async fn conditions_are_answered_in_the_order_of_the_specification() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(3, 1000);
    upstream.set("/a", Script::new(body.clone()).etag("v1").last_modified(DATE));
    app.read("g", "a").await.expect_bytes(&body);
    app.stored("g", "a").await;
    let earlier = "Mon, 04 Aug 2025 10:11:12 GMT";
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("if-none-match", "\"v1\"")], 304),
        (&[("if-none-match", "\"x\", W/\"v1\"")], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"v2\"")], 200),
        (&[("if-none-match", "\"v2\""), ("if-modified-since", DATE)], 200),
        (&[("if-modified-since", DATE)], 304),
        (&[("if-modified-since", earlier)], 200),
        (&[("if-match", "\"v1\"")], 200),
        (&[("if-match", "\"v2\"")], 412),
        (&[("if-match", "W/\"v1\"")], 412),
        (&[("if-unmodified-since", earlier)], 412),
        (&[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], 304),
        (&[("range", "bytes=0-9"), ("if-range", "\"v1\"")], 206),
        (&[("range", "bytes=0-9"), ("if-range", "\"v2\"")], 200),
        (&[("range", "bytes=0-9"), ("if-range", "W/\"v1\"")], 200),
        (&[("range", "bytes=0-9"), ("if-range", DATE)], 206),
        (&[("range", "bytes=0-9"), ("if-range", earlier)], 200),
        (&[("range", "bytes=0-9"), ("if-none-match", "\"v1\"")], 304),
    ];
    for (fields, status) in cases {
        let reply = app.read_with("g", "a", fields).await;
        assert_eq!(reply.status, *status, "{fields:?}");
        assert_eq!(reply.body.is_empty(), *status == 304, "{fields:?}");
    }
    assert_eq!(upstream.count("GET", "/a"), 1);
}

#[tokio::test]
async fn the_query_is_part_of_the_key_and_encodings_never_meet() {
    let (upstream, app) = generic(json!({})).await;
    for (target, text) in [
        ("/a", "plain"),
        ("/a?x=1", "one"),
        ("/a?x=2", "two"),
        ("/b%2Fc", "slash"),
        ("/b/c", "path"),
    ] {
        upstream.set(target, Script::new(text));
    }
    for _ in 0..2 {
        app.read("g", "a").await.expect_bytes(b"plain");
        app.read("g", "a?x=1").await.expect_bytes(b"one");
        app.read("g", "a?x=2").await.expect_bytes(b"two");
        app.read("g", "b%2Fc").await.expect_bytes(b"slash");
        app.read("g", "b/c").await.expect_bytes(b"path");
    }
    app.read("g", "%61").await.expect_bytes(b"plain");
}

#[tokio::test]
async fn impossible_paths_are_refused_before_upstream_hears_of_them() {
    let (upstream, app) = generic(json!({})).await;
    let bad = [
        "%ff",
        "a%00b",
        "%2e%2e/a",
        "a/%2e%2e/b",
        "%252e%252e/a",
        "a//b",
        "a%5cb",
        "a%0ab",
        "%252f",
    ];
    for path in bad {
        // A bare socket: an HTTP library would tidy the path up.
        let target = App::path("g", path);
        let pull = crate::support::client::Pull::get(app.address(), &target, &[])
            .await
            .unwrap();
        assert_eq!(pull.status, 400, "{path}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_blocklist_beats_patterns_and_both_are_asked_before_anything_else() {
    let settings = json!({"patterns": ["\\.bin$", "^docs/"], "blocklist": ["secret"]});
    let (upstream, app) = generic(settings).await;
    for path in ["/a.bin", "/docs/x", "/secret.bin", "/a.txt"] {
        upstream.set(path, Script::new("x"));
    }
    for (path, status) in [
        ("a.bin", 200),
        ("docs/x", 200),
        ("secret.bin", 403),
        ("a.txt", 403),
    ] {
        assert_eq!(app.read("g", path).await.status, status, "{path}");
        let head = Reply::of(app.request(Method::HEAD, &App::path("g", path))).await;
        assert_eq!(head.status, status, "HEAD {path}");
    }
    assert_eq!(
        upstream.hits("/secret.bin").len() + upstream.hits("/a.txt").len(),
        0
    );
    let denied = app.read("g", "secret.bin").await;
    assert_eq!(denied.outcome(), "denied");
}

#[tokio::test]
async fn unknown_repositories_and_methods_are_told_apart() {
    let (_upstream, app) = generic(json!({})).await;
    assert_eq!(app.read("nobody", "a").await.status, 404);
    for method in [Method::POST, Method::PATCH] {
        let reply = Reply::of(app.request(method.clone(), &App::path("g", "a"))).await;
        assert_eq!(reply.status, 405, "{method}");
    }
    let put = app.put("g", "a", "x").await;
    assert_eq!(put.status, 405);
}

#[tokio::test]
async fn a_coded_body_is_decoded_unless_its_name_says_that_it_is_compressed() {
    use std::io::Write as _;
    let (upstream, app) = generic(json!({})).await;
    let plain = bytes_of(4, 50_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    let coded = encoder.finish().unwrap();
    for path in ["/a.bin", "/a.tar.gz"] {
        upstream.set(
            path,
            Script::new(coded.clone()).header("content-encoding", "gzip"),
        );
    }
    for _ in 0..2 {
        app.read("g", "a.bin").await.expect_bytes(&plain);
        let raw = app.read("g", "a.tar.gz").await.expect_bytes(&coded);
        assert_eq!(raw.header("content-encoding"), "");
    }
}
