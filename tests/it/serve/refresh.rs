//! Mutable documents: revalidation, replacement, stale copies, and what a client's `no-cache` may do.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DATE, generic};
use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::eventually;
use crate::support::script::{Fault, Script};
use crate::support::store::Store;
use crate::support::upstream::Upstream;

/// Everything mutable, with a TTL of a second, and further settings.
fn mutable(further: &Value) -> Value {
    let mut settings = json!({"mutable_patterns": ["."], "mutable_ttl": 1});
    settings
        .as_object_mut()
        .unwrap()
        .extend(further.as_object().unwrap().clone());
    settings
}

/// A mutable document `doc` in the cache, past its TTL.
async fn expired(script: Script, further: Value) -> (Upstream, App) {
    let (upstream, app) = generic(mutable(&further)).await;
    let body = script.body.clone();
    upstream.set("/doc", script);
    app.read("g", "doc").await.expect_bytes(&body);
    app.stored("g", "doc").await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    (upstream, app)
}

#[tokio::test]
async fn an_expired_document_costs_one_conditional_request_and_no_download() {
    let body = bytes_of(1, 5000);
    for script in [
        Script::new(body.clone()).etag("v1"),
        Script::new(body.clone()).last_modified(DATE),
    ] {
        let (upstream, app) = expired(script, json!({})).await;
        let again = app.read("g", "doc").await.expect_bytes(&body);
        assert_eq!(
            (again.header("x-artifact-source"), again.outcome()),
            ("cache", "revalidated")
        );
        let hits = upstream.hits("/doc");
        assert_eq!(hits.len(), 2);
        let asked = &hits[1].request;
        assert!(
            asked.header("if-none-match").is_some() || asked.header("if-modified-since").is_some(),
            "{asked:?}"
        );
        assert_eq!(hits[1].bytes(), 0, "a 304 has no body");
    }
}

#[tokio::test]
async fn a_changed_document_replaces_the_copy() {
    let (upstream, app) = expired(Script::new("old").etag("v1"), json!({})).await;
    upstream.set("/doc", Script::new("new and longer").etag("v2"));
    let changed = app.read("g", "doc").await.expect_bytes(b"new and longer");
    assert_eq!(changed.header("etag"), "\"v2\"");
    assert_eq!(changed.header("x-artifact-source"), "remote");
}

#[tokio::test]
async fn the_same_bytes_without_validators_move_the_ttl() {
    let (upstream, app) = expired(Script::new("same"), json!({})).await;
    app.read("g", "doc").await.expect_bytes(b"same");
    app.read("g", "doc").await.expect_bytes(b"same");
    assert!(
        upstream.hits("/doc").len() <= 3,
        "each TTL costs one request at most"
    );
    assert_eq!(app.objects("g").await.len(), 1);
}

#[tokio::test]
async fn with_the_update_check_off_it_is_fetched_without_validators() {
    let script = Script::new("same").etag("v1");
    let (upstream, app) = expired(script, json!({"check_mutable_updates": false})).await;
    app.read("g", "doc").await.expect_bytes(b"same");
    let hits = upstream.hits("/doc");
    assert_eq!(hits[1].request.header("if-none-match"), None);
}

#[tokio::test]
async fn the_stale_copy_answers_while_upstream_is_in_trouble_and_its_ttl_moves() {
    for trouble in [
        Script::status(500),
        Script::status(503),
        Script::status(429).header("retry-after", "1"),
        Script::status(401),
        Script::new(bytes_of(9, 300_000)).fault(Fault::Reset(100_000)),
        Script::new(bytes_of(9, 1000)).fault(Fault::Truncate(500)),
    ] {
        let (upstream, app) = expired(Script::new("good").etag("v1"), json!({})).await;
        let what = format!("{} {:?}", trouble.status, trouble.fault);
        upstream.set("/doc", trouble);
        let stale = app.read("g", "doc").await.expect_bytes(b"good");
        assert_eq!(
            (stale.header("x-artifact-source"), stale.outcome()),
            ("cache", "stale"),
            "{what}"
        );
        assert!(
            stale.header("age").parse::<u64>().is_ok(),
            "{what}: {:?}",
            stale.headers
        );
        let asked = upstream.hits("/doc").len();
        app.read("g", "doc").await.expect_bytes(b"good");
        assert_eq!(upstream.hits("/doc").len(), asked, "{what}: the TTL was nudged");
    }
}

#[tokio::test]
async fn an_upstream_that_refuses_connections_leaves_the_stale_copy() {
    let (mut upstream, app) = expired(Script::new("good").etag("v1"), json!({})).await;
    upstream.refuse().await;
    let stale = app.read("g", "doc").await.expect_bytes(b"good");
    assert_eq!(stale.outcome(), "stale");
    upstream.listen();
    upstream.set("/doc", Script::new("better").etag("v2"));
    eventually("the new document", || async {
        (app.read("g", "doc").await.body == b"better").then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_stale_on_error_the_trouble_is_told() {
    let (upstream, app) = expired(Script::new("good").etag("v1"), json!({"stale_on_error": false})).await;
    upstream.set("/doc", Script::status(500));
    assert_eq!(app.read("g", "doc").await.status, 502);
}

#[tokio::test]
async fn a_copy_older_than_max_stale_does_not_answer() {
    let (upstream, app) = expired(Script::new("good").etag("v1"), json!({"max_stale": 1})).await;
    upstream.set("/doc", Script::status(500));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(app.read("g", "doc").await.status, 502);
}

#[tokio::test]
async fn a_document_that_upstream_has_withdrawn_is_gone() {
    let (upstream, app) = expired(Script::new("good").etag("v1"), json!({})).await;
    upstream.set("/doc", Script::status(404));
    assert_eq!(app.read("g", "doc").await.status, 404);
}

#[tokio::test]
async fn stale_while_revalidate_answers_at_once_and_refreshes_behind() {
    let script = Script::new("old").etag("v1");
    let (upstream, app) = expired(script, json!({"stale_while_revalidate": 3600})).await;
    let gate = crate::support::script::Gate::closed();
    upstream.set("/doc", Script::new("new").etag("v2").gate(0, &gate));
    let old = app.read("g", "doc").await.expect_bytes(b"old");
    assert_eq!(old.outcome(), "stale_while_revalidate");
    gate.open();
    eventually("the refreshed document", || async {
        (app.read("g", "doc").await.body == b"new").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_refresh_gives_the_copy_after_a_while_and_goes_on() {
    let (upstream, app) = expired(Script::new("old").etag("v1"), json!({})).await;
    let gate = crate::support::script::Gate::closed();
    upstream.set("/doc", Script::new("new").etag("v2").gate(0, &gate));
    let old = app.read("g", "doc").await.expect_bytes(b"old");
    assert_eq!(old.outcome(), "stale");
    gate.open();
    eventually("the refreshed document", || async {
        (app.read("g", "doc").await.body == b"new").then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_cache_of_a_client_revalidates_no_more_than_once_in_a_while() {
    let (upstream, app) = generic(json!({"mutable_patterns": ["."], "mutable_ttl": 3600})).await;
    upstream.set("/doc", Script::new("text").etag("v1"));
    app.read("g", "doc").await.expect_bytes(b"text");
    app.stored("g", "doc").await;
    for _ in 0..5 {
        let reply = app.read_with("g", "doc", &[("cache-control", "no-cache")]).await;
        reply.expect_bytes(b"text");
    }
    assert_eq!(upstream.hits("/doc").len(), 1, "fetched less than 30 s ago");
}

#[tokio::test]
async fn an_immutable_path_with_other_bytes_is_an_incident_and_no_answer() {
    let (upstream, app) = generic(json!({})).await;
    upstream.set("/a-1.0.tgz", Script::new("first bytes"));
    app.read("g", "a-1.0.tgz").await.expect_bytes(b"first bytes");
    app.stored("g", "a-1.0.tgz").await;
    app.evict("g", "path=a-1.0.tgz").await;
    upstream.set("/a-1.0.tgz", Script::new("other bytes"));
    let changed = app.read("g", "a-1.0.tgz").await;
    assert_eq!((changed.status, changed.outcome()), (502, "upstream_changed"));
    assert!(app.objects("g").await.is_empty());
    upstream.set("/a-1.0.tgz", Script::new("first bytes"));
    app.read("g", "a-1.0.tgz").await.expect_bytes(b"first bytes");
    app.stored("g", "a-1.0.tgz").await;
    app.evict("g", "path=a-1.0.tgz&forget=true").await;
    upstream.set("/a-1.0.tgz", Script::new("other bytes"));
    app.read("g", "a-1.0.tgz").await.expect_bytes(b"other bytes");
}

#[tokio::test]
async fn an_object_that_the_store_has_lost_is_fetched_again() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(7, 300_000);
    for (name, harm) in [("gone", None), ("short", Some(100_000))] {
        upstream.set(&format!("/{name}"), Script::new(body.clone()));
        app.read("g", name).await.expect_bytes(&body);
        app.stored("g", name).await;
        let mut store = Store::open(&app).await;
        let object = store.object(name).await;
        match harm {
            None => store.remove(&object).await,
            Some(size) => store.overwrite(&object, &body[..size]).await,
        }
        store.close().await;
        let first = app.read("g", name).await;
        assert!(
            !first.complete() || first.body == body,
            "{name}: {} bytes",
            first.body.len()
        );
        eventually("the object is whole again", || async {
            let reply = app.read("g", name).await;
            (reply.complete() && reply.body == body).then_some(())
        })
        .await;
        app.evict("g", "all=true").await;
    }
}
