//! Hits sent to the bucket: the client gets the bytes there, and everything else from us.

use reqwest::{Method, Url};
use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::Reply;
use crate::support::parts::{Parts, Servers};
use crate::support::python as index;
use crate::support::script::Script;
use crate::support::store::Store;
use crate::support::upstream::Upstream;

const BUCKET: Parts = Parts {
    postgresql: false,
    redis: false,
    s3: true,
};

async fn app() -> App {
    App::setup().on(BUCKET).start().await
}

/// Follows a redirect as clients do, with the same further fields.
async fn follow(redirect: &Reply, fields: &[(&str, &str)]) -> Reply {
    assert_eq!(redirect.status, 307, "{} {:?}", redirect.text(), redirect.headers);
    assert_eq!(redirect.header("cache-control"), "no-store");
    assert!(redirect.whole && redirect.body.is_empty());
    let place = Url::parse(redirect.header("location")).unwrap();
    let server = Servers::of_environment().s3;
    assert_eq!((place.host(), place.port()), (server.host(), server.port()));
    let request = reqwest::Client::builder().no_proxy().build().unwrap().get(place);
    let request = fields
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    Reply::of(request).await
}

#[tokio::test]
async fn a_hit_of_a_remote_leads_to_the_bucket() {
    let (upstream, app) = (Upstream::start(), app().await);
    let body = bytes_of(1, 300_000);
    upstream.set(
        "/a.txt",
        Script::new(body.clone()).header("content-type", "text/x-test"),
    );
    app.create_remote("g", "generic", &upstream.url(), json!({"redirect_hits": true}))
        .await;
    let miss = app.read("g", "a.txt").await.expect_bytes(&body);
    assert_eq!(miss.outcome(), "miss");
    app.stored("g", "a.txt").await;

    let hit = app.read("g", "a.txt").await;
    assert_eq!((hit.header("x-artifact-source"), hit.outcome()), ("cache", "hit"));
    let got = follow(&hit, &[]).await.expect_bytes(&body);
    assert_eq!(got.header("content-type"), "text/x-test");

    let range = [("range", "bytes=10-19")];
    let part = follow(&app.read_with("g", "a.txt", &range).await, &range)
        .await
        .expect(206);
    assert!(part.body == body[10..20]);
    assert_eq!(upstream.count("GET", "/a.txt"), 1);
}

#[tokio::test]
async fn heads_conditions_and_what_cannot_be_are_answered_by_us() {
    let (upstream, app) = (Upstream::start(), app().await);
    let body = bytes_of(2, 100_000);
    upstream.set("/a.bin", Script::new(body.clone()));
    upstream.set("/folder/", Script::new("<a href=\"x\">x</a>"));
    app.create_remote("g", "generic", &upstream.url(), json!({"redirect_hits": true}))
        .await;
    app.read("g", "a.bin").await.expect_bytes(&body);
    app.stored("g", "a.bin").await;
    let head = Reply::of(app.request(Method::HEAD, &App::path("g", "a.bin")))
        .await
        .expect(200);
    assert_eq!(head.header("content-length"), "100000");
    let etag = head.header("etag");
    assert!(etag.starts_with('"'), "{:?}", head.headers);
    for (name, value, status) in [
        ("if-none-match", etag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-match", etag, 200),
        ("if-match", "\"other\"", 412),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("range", "bytes=100000-", 416),
    ] {
        let reply = app.read_with("g", "a.bin", &[(name, value)]).await;
        assert_eq!(reply.status, status, "{name}: {value}");
    }
    // The listing of a folder has relative links.
    app.read("g", "folder/").await.expect(200);
    app.stored("g", "folder/").await;
    app.read("g", "folder/").await.expect(200);
}

#[tokio::test]
async fn only_repositories_that_ask_for_it_send_clients_away() {
    let app = app().await;
    app.create_local("l", "generic", json!({})).await;
    let body = bytes_of(3, 50_000);
    app.put("l", "a", body.clone()).await.expect(201);
    app.read("l", "a").await.expect_bytes(&body);
    let change = json!({"redirect_hits": true});
    let changed = app
        .admin(Method::PATCH, "/api/v2/locals/l", change)
        .await
        .expect(200);
    assert_eq!(changed.json()["redirect_hits"], true);
    let hosted = app.read("l", "a").await;
    assert_eq!(
        (hosted.header("x-artifact-source"), hosted.outcome()),
        ("local", "local")
    );
    follow(&hosted, &[]).await.expect_bytes(&body);
}

#[tokio::test]
async fn a_folder_gives_no_links_so_the_setting_does_nothing() {
    let app = App::setup().on(Parts { s3: false, ..BUCKET }).start().await;
    app.create_local("l", "generic", json!({"redirect_hits": true}))
        .await;
    let body = bytes_of(4, 50_000);
    app.put("l", "a", body.clone()).await.expect(201);
    app.read("l", "a").await.expect_bytes(&body);
}

#[tokio::test]
async fn nobody_is_sent_to_an_object_that_is_gone() {
    let (upstream, mut app) = (Upstream::start(), app().await);
    let body = bytes_of(5, 80_000);
    upstream.set("/a", Script::new(body.clone()));
    app.create_remote("g", "generic", &upstream.url(), json!({"redirect_hits": true}))
        .await;
    app.read("g", "a").await.expect_bytes(&body);
    app.stored("g", "a").await;
    app.damaged();
    let mut store = Store::open(&app).await;
    let object = store.object("a").await;
    store.remove(&object).await;
    store.close().await;
    let lost = app.read("g", "a").await;
    assert_eq!((lost.status, lost.header("retry-after")), (503, "1"));
    app.read("g", "a").await.expect_bytes(&body);
    app.stored("g", "a").await;
    follow(&app.read("g", "a").await, &[]).await.expect_bytes(&body);
}

#[tokio::test]
async fn pages_of_an_index_are_ours_and_its_files_the_buckets() {
    let (upstream, app) = (Upstream::start(), app().await);
    app.create_remote("p", "pypi", &upstream.url(), json!({"redirect_hits": true}))
        .await;
    let body = bytes_of(6, 200_000);
    let wheel = "demo-1.0-py3-none-any.whl";
    let path = index::publish(&upstream, "demo", wheel, Script::new(body.clone()));
    app.read("p", &path).await.expect_bytes(&body);
    app.stored("p", &path).await;
    for _ in 0..2 {
        app.read("p", "simple/demo/").await.expect(200);
    }
    follow(&app.read("p", &path).await, &[]).await.expect_bytes(&body);
}
