//! Resumption: a broken transfer goes on where it broke, and versions are never mixed.

use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::python;
use crate::support::script::{Fault, Script};
use crate::support::upstream::Upstream;

const SIZE: usize = 3 << 20;
const HALF: u64 = (SIZE / 2) as u64;
const DATE: &str = "Tue, 05 Aug 2025 10:11:12 GMT";

async fn generic() -> (Upstream, App) {
    let upstream = Upstream::start();
    let app = App::setup()
        .env("ARTIFACTAPI_UPSTREAM_IDLE_SECONDS", "1")
        .start()
        .await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    (upstream, app)
}

/// The start of every ranged request for a path, with its `If-Range`.
fn resumed(upstream: &Upstream, path: &str) -> Vec<(u64, Option<String>)> {
    let hits = upstream.hits(path);
    let ranged = hits.iter().filter_map(|hit| {
        let range = hit
            .request
            .header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?;
        Some((
            range.parse().ok()?,
            hit.request.header("if-range").map(str::to_owned),
        ))
    });
    ranged.collect()
}

#[tokio::test]
async fn a_break_is_resumed_with_a_strong_if_range_and_clients_notice_nothing() {
    let (upstream, app) = generic().await;
    let body = bytes_of(1, SIZE);
    let whole = Script::new(body.clone()).etag("v1");
    for (name, fault) in [
        ("reset", Fault::Reset(HALF)),
        ("cut", Fault::Truncate(HALF)),
        ("stall", Fault::Stall(HALF)),
    ] {
        let path = format!("/{name}");
        upstream.set(&path, whole.clone().fault(fault).then(whole.clone()));
        let readers = (0..3).map(|_| app.read("g", name));
        for reply in futures_util::future::join_all(readers).await {
            reply.expect_bytes(&body);
        }
        let ranged = resumed(&upstream, &path);
        assert_eq!(ranged.len(), 1, "{name}: one resumption");
        let (start, if_range) = &ranged[0];
        assert!((1..=HALF).contains(start), "{name}: from {start}");
        assert_eq!(if_range.as_deref(), Some("\"v1\""), "{name}");
        assert_eq!(upstream.count("GET", &path), 2, "{name}: one plain GET before it");
        app.stored("g", name).await;
        app.read("g", name).await.expect_bytes(&body);
    }
}

#[tokio::test]
async fn several_breaks_are_resumed_one_after_the_other() {
    let (upstream, app) = generic().await;
    let body = bytes_of(2, SIZE);
    let whole = Script::new(body.clone()).etag("v1");
    let third = HALF / 2 * 3;
    let second = whole.clone().fault(Fault::Reset(third)).then(whole.clone());
    upstream.set("/a", whole.fault(Fault::Reset(HALF)).then(second));
    app.read("g", "a").await.expect_bytes(&body);
    let ranged = resumed(&upstream, "/a");
    assert_eq!(ranged.len(), 2);
    assert!(ranged[0].0 < ranged[1].0, "{ranged:?}");
}

/// What must never be: a complete answer, or a stored object, that is neither the old version nor the new one.
async fn never_a_mix(app: &App, upstream: &Upstream, old: &[u8], new: &[u8]) {
    let reply = app.read("g", "a").await;
    if reply.complete() {
        assert!(
            reply.body == old || reply.body == new,
            "a mix of {} bytes",
            reply.body.len()
        );
    } else {
        assert!(
            old.starts_with(&reply.body),
            "what came before the break is the old version's"
        );
    }
    upstream.set("/a", Script::new(new.to_vec()).etag("v2"));
    app.read("g", "a").await.expect_bytes(new);
}

#[tokio::test]
async fn a_changed_validator_never_yields_a_mix() {
    let old = bytes_of(3, SIZE);
    let new = bytes_of(4, SIZE);
    let changed = Script::new(new.clone()).etag("v2");
    for next in [
        changed.clone(),
        // Upstreams that do not care for If-Range, or do not know ranges at all.
        changed.clone().careless(),
        changed.clone().without_ranges(),
    ] {
        let (upstream, app) = generic().await;
        upstream.set(
            "/a",
            Script::new(old.clone())
                .etag("v1")
                .fault(Fault::Reset(HALF))
                .then(next),
        );
        never_a_mix(&app, &upstream, &old, &new).await;
    }
}

#[tokio::test]
async fn an_upstream_that_ignores_ranges_never_yields_a_mix() {
    let body = bytes_of(5, SIZE);
    let (upstream, app) = generic().await;
    let whole = Script::new(body.clone()).etag("v1").without_ranges();
    upstream.set("/a", whole.clone().fault(Fault::Reset(HALF)).then(whole));
    never_a_mix(&app, &upstream, &body, &body).await;
}

#[tokio::test]
async fn without_a_strong_validator_nothing_is_resumed_when_no_digest_is_known() {
    let body = bytes_of(6, SIZE);
    let plain = Script::new(body.clone());
    for (name, script) in [
        ("bare", plain.clone()),
        ("weak", plain.clone().header("etag", "W/\"v1\"")),
    ] {
        let (upstream, app) = generic().await;
        upstream.set(
            "/a",
            script.clone().fault(Fault::Reset(HALF)).then(script.careless()),
        );
        let reply = app.read("g", "a").await;
        assert!(!reply.complete(), "{name}");
        assert_eq!(resumed(&upstream, "/a"), [], "{name}");
        app.read("g", "a").await.expect_bytes(&body);
    }
}

#[tokio::test]
async fn with_a_known_digest_it_resumes_without_a_validator() {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("p", "pypi", &upstream.url(), json!({})).await;
    let body = bytes_of(7, SIZE);
    let whole = Script::new(body.clone()).last_modified(DATE);
    let broken = whole.clone().fault(Fault::Reset(HALF)).then(whole);
    let path = python::publish(&upstream, "demo", "demo-1.0-py3-none-any.whl", broken);
    app.read("p", &path).await.expect_bytes(&body);
    let ranged = resumed(&upstream, "/files/demo-1.0-py3-none-any.whl");
    assert_eq!(ranged.len(), 1);
    assert_eq!(upstream.count("GET", "/files/demo-1.0-py3-none-any.whl"), 2);
}

#[tokio::test]
async fn an_upstream_that_breaks_every_time_fails_in_the_end() {
    let (upstream, app) = generic().await;
    let body = bytes_of(8, SIZE);
    let broken = Script::new(body.clone()).etag("v1").fault(Fault::Reset(HALF));
    upstream.set("/a", broken);
    let reply = app.read("g", "a").await;
    assert!(!reply.complete());
    assert!(body.starts_with(&reply.body) && reply.body.len() as u64 <= HALF);
    assert!(upstream.count("GET", "/a") <= 4, "at most three resumptions");
    assert!(app.objects("g").await.is_empty());
}
