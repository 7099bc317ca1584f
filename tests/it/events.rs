//! The stream of events: its kinds, its filter, and going on after a break.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::script::Script;
use crate::support::sse::{Told, Watcher};
use crate::support::upstream::Upstream;

/// Makes something happen of every kind: config, fetch, hit, evict, push, incident, breaker, gc.
async fn make_history(app: &App, upstream: &Upstream) {
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    app.create_local("l", "generic", json!({})).await;
    upstream.set("/a", Script::new("first"));
    app.read("g", "a").await.expect(200);
    app.stored("g", "a").await;
    app.read("g", "a").await.expect(200);
    app.evict("g", "path=a").await;
    app.put("l", "b", "pushed").await.expect(201);
    upstream.set("/a", Script::new("second"));
    app.read("g", "a").await;
    upstream.set("/bad", Script::status(500));
    // Who comes at the very end of a failed flight shares its failure, so the number of reads is not that of fetches.
    for _ in 0..50 {
        if app.read("g", "bad").await.outcome() == "breaker_open" {
            break;
        }
    }
    app.admin(Method::POST, "/api/v2/gc", json!({})).await.expect(200);
}

fn kinds(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.kind.as_str()).collect()
}

#[tokio::test]
async fn every_kind_is_told_in_order_and_resumed_by_its_id() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    let mut watcher = Watcher::open(&app, "", None).await;
    make_history(&app, &upstream).await;
    let told = watcher.until(|told| told.kind == "gc").await;
    for kind in [
        "config", "fetch", "hit", "evict", "push", "incident", "breaker", "gc",
    ] {
        assert!(
            kinds(&told).contains(&kind),
            "{kind} is missing in {:?}",
            kinds(&told)
        );
    }
    assert!(told.windows(2).all(|pair| pair[0].id < pair[1].id), "ids grow");
    for event in &told {
        assert_eq!(event.data["kind"], event.kind.as_str());
        assert!(
            event.data["at"].is_number() || event.data["at"].is_string(),
            "{event:?}"
        );
    }
    let hit = told.iter().find(|told| told.kind == "hit").unwrap();
    assert_eq!(
        (&hit.data["remote"], &hit.data["path"]),
        (&json!("g"), &json!("a"))
    );

    let incident = told.iter().find(|told| told.kind == "incident").unwrap();
    assert_eq!(incident.data["outcome"], "upstream_changed");

    for from in [0, told.len() / 2] {
        let mut resumed = Watcher::open(&app, "", Some(told[from].id)).await;
        let again = resumed.until(|event| event.id == told[told.len() - 1].id).await;
        assert_eq!(again, told[from + 1..], "after event {from}");
    }
}

#[tokio::test]
async fn a_watcher_gets_only_what_it_asked_for() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    let mut hits = Watcher::open(&app, "kind=hit,push&remote=g,l", None).await;
    let mut others = Watcher::open(&app, "remote=other", None).await;
    make_history(&app, &upstream).await;
    app.create_remote("other", "generic", &upstream.url(), json!({}))
        .await;
    let told = hits.until(|told| told.kind == "push").await;
    assert_eq!(kinds(&told), ["hit", "push"]);
    let told = others.next().await;
    assert_eq!(
        (told.kind.as_str(), &told.data["remote"]),
        ("config", &json!("other"))
    );
}

#[tokio::test]
async fn ids_never_repeat_over_a_restart() {
    let (upstream, mut app) = (Upstream::start(), App::start().await);
    let mut watcher = Watcher::open(&app, "kind=config", None).await;
    app.create_remote("one", "generic", &upstream.url(), json!({}))
        .await;
    let before = watcher.next().await;
    app.kill();
    app.restart().await;
    let mut watcher = Watcher::open(&app, "kind=config,missed", None).await;
    app.create_remote("two", "generic", &upstream.url(), json!({}))
        .await;
    let after = watcher.next().await;
    assert!(after.id > before.id, "{} then {}", before.id, after.id);
}

#[tokio::test]
async fn the_stream_needs_a_token_and_a_known_filter() {
    let app = App::start().await;
    let anonymous = Reply::of(app.request(Method::GET, "/api/v2/events")).await;
    assert_eq!(anonymous.status, 401);
    let reply = app
        .admin(Method::GET, "/api/v2/events?kind=nonsense", Value::Null)
        .await;
    assert_eq!(reply.status, 400);
}
