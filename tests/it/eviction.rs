//! Eviction: by hand, by size in the order of use, by age.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::bytes::{Rng, bytes_of};
use crate::support::eventually;
use crate::support::script::Script;
use crate::support::sse::Watcher;
use crate::support::store::Store;
use crate::support::upstream::Upstream;

async fn filled(settings: Value, count: u64) -> (Upstream, App) {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), settings).await;
    for number in 0..count {
        let body = bytes_of(number, 100_000);
        upstream.set(&format!("/o{number}"), Script::new(body.clone()));
        app.read("g", &format!("o{number}")).await.expect_bytes(&body);
        app.stored("g", &format!("o{number}")).await;
    }
    (upstream, app)
}

async fn collect(app: &App) -> Value {
    app.admin(Method::POST, "/api/v2/gc", json!({"grace_seconds": 0}))
        .await
        .expect(200)
        .json()
}

async fn paths(app: &App) -> Vec<String> {
    let objects = app.objects("g").await;
    objects
        .iter()
        .map(|object| object["path"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the uses that the program recorded have this order, the least recent first.
async fn recorded(app: &App, order: &[String]) {
    eventually(&format!("uses recorded as {order:?}"), || async {
        let mut objects = app.objects("g").await;
        objects.sort_by_key(|object| object["last_access"].as_str().map(str::to_owned));
        let mut paths = objects.iter().filter_map(|object| object["path"].as_str());
        order.iter().all(|path| paths.next() == Some(path)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_size_cap_takes_the_least_recently_used_first() {
    let (_upstream, app) = filled(json!({"max_cache_bytes": 450_000}), 10).await;
    let mut rng = Rng::printed("eviction");
    let mut used = Vec::new();
    for _ in 0..40 {
        let path = format!("o{}", rng.below(10));
        app.read("g", &path).await.expect(200);
        used.retain(|other| *other != path);
        used.push(path);
        // Times of use are shown in milliseconds.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What was never read again after its fetch is older than all of these, in the order of the fetches.
    let untouched = (0..10)
        .map(|number| format!("o{number}"))
        .filter(|path| !used.contains(path));
    let order: Vec<_> = untouched.chain(used.clone()).collect();
    recorded(&app, &order).await;
    let mut watcher = Watcher::open(&app, "kind=evict,gc", None).await;

    collect(&app).await;
    let left = paths(&app).await;
    let mut expected: Vec<_> = order[6..].to_vec();
    expected.sort();
    assert_eq!(left, expected, "the four used last stay; order of use: {order:?}");
    let told = watcher.until(|told| told.kind == "gc").await;
    let evicted: Vec<_> = told.iter().filter(|told| told.kind == "evict").collect();
    let evicted: Vec<_> = evicted
        .iter()
        .filter_map(|told| told.data["path"].as_str())
        .collect();
    if evicted.len() > 1 {
        assert_eq!(evicted, order[..6].iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn accesses_are_recorded_and_shown() {
    let (_upstream, app) = filled(json!({}), 2).await;
    let first = app.stored("g", "o0").await;
    for _ in 0..3 {
        app.read("g", "o0").await.expect(200);
    }
    let later = eventually("three more uses recorded", || async {
        let object = app.stored("g", "o0").await;
        (object["hits"].as_u64() >= Some(first["hits"].as_u64().unwrap_or(0) + 3)).then_some(object)
    })
    .await;
    assert!(
        later["last_access"].as_str() > first["last_access"].as_str(),
        "{first} {later}"
    );
    assert_eq!(later["size"], 100_000);
    assert_eq!(later["class"], "immutable");
}

#[tokio::test]
async fn what_nobody_uses_goes_by_age() {
    let (upstream, app) = filled(json!({"max_unused": 2}), 2).await;
    tokio::time::sleep(Duration::from_millis(2200)).await;
    app.read("g", "o1").await.expect(200);
    collect(&app).await;
    assert_eq!(paths(&app).await, ["o1"]);
    app.read("g", "o0").await.expect_bytes(&bytes_of(0, 100_000));
    assert_eq!(upstream.hits("/o0").len(), 2);
}

#[tokio::test]
async fn eviction_by_hand_takes_exactly_what_it_names() {
    let (upstream, app) = filled(json!({}), 6).await;
    assert_eq!(
        app.evict("g", "path=o0").await,
        json!({"evicted": 1, "bytes": 100_000})
    );
    assert_eq!(app.evict("g", "path=o0").await, json!({"evicted": 0, "bytes": 0}));
    app.read("g", "o0").await.expect_bytes(&bytes_of(0, 100_000));
    assert_eq!(upstream.hits("/o0").len(), 2, "a miss after the eviction");
    app.stored("g", "o0").await;
    app.evict("g", "pattern=%5Eo%5B12%5D%24").await;
    assert_eq!(paths(&app).await, ["o0", "o3", "o4", "o5"]);
    app.evict("g", "prefix=o3").await;
    assert_eq!(paths(&app).await, ["o0", "o4", "o5"]);
    for query in ["", "?path=o0&all=true", "?all=false", "?patern=x"] {
        let path = format!("/api/v2/remotes/g/objects{query}");
        let reply = app.admin(Method::DELETE, &path, Value::Null).await;
        assert_eq!(reply.status, 400, "{query}");
    }
    app.evict("g", "all=true").await;
    assert!(paths(&app).await.is_empty());
}

#[tokio::test]
async fn the_collector_frees_what_nobody_names_and_a_dry_run_nothing() {
    let (_upstream, app) = filled(json!({}), 3).await;
    app.evict("g", "all=true").await;
    let store = Store::open(&app).await;
    let before = store.objects().await.len();
    app.admin(
        Method::POST,
        "/api/v2/gc",
        json!({"grace_seconds": 0, "dry_run": true}),
    )
    .await
    .expect(200);
    assert_eq!(store.objects().await.len(), before);
    collect(&app).await;
    assert_eq!(before - store.objects().await.len(), 3, "three objects went");
    store.close().await;
    let last = app
        .admin(Method::GET, "/api/v2/gc", Value::Null)
        .await
        .expect(200)
        .json();
    assert!(last["last"].is_object(), "{last}");
}

#[tokio::test]
async fn forgetting_a_path_drops_its_pin_although_it_was_evicted_before() {
    let (upstream, app) = filled(json!({}), 1).await;
    app.evict("g", "path=o0").await;
    upstream.set("/o0", Script::new("other bytes"));
    assert_eq!(app.read("g", "o0").await.outcome(), "upstream_changed");
    app.evict("g", "path=o0&forget=true").await;
    app.read("g", "o0").await.expect_bytes(b"other bytes");
}
