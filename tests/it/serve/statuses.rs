//! What clients are told when upstream says no, or says nothing.

use serde_json::json;

use super::generic;
use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::script::{Fault, Script};
use crate::support::upstream::Upstream;

#[tokio::test]
async fn absence_is_passed_on_and_remembered_for_a_while() {
    let (upstream, app) = generic(json!({})).await;
    for (path, status) in [("gone", 410), ("none", 404)] {
        upstream.set(&format!("/{path}"), Script::status(status));
        assert_eq!(app.read("g", path).await.status, status);
        let again = app.read("g", path).await;
        assert_eq!(again.status, status);
        assert_eq!(
            (again.header("x-artifact-source"), again.outcome()),
            ("cache", "negative")
        );
        assert_eq!(upstream.count("GET", &format!("/{path}")), 1);
    }
    assert!(app.objects("g").await.is_empty());
}

#[tokio::test]
async fn every_other_refusal_has_its_status_and_is_not_remembered() {
    let (upstream, app) = generic(json!({})).await;
    for (said, told, code) in [
        (401, 502, "upstream_credentials"),
        (403, 403, "upstream_denied"),
        (429, 429, "upstream_quota"),
        (500, 502, "upstream_broken"),
        (503, 502, "upstream_broken"),
        (418, 502, "upstream_broken"),
    ] {
        let path = format!("s{said}");
        upstream.set(
            &format!("/{path}"),
            Script::status(said).header("retry-after", "7"),
        );
        let reply = app.read("g", &path).await;
        assert_eq!((reply.status, reply.outcome()), (told, code), "{said}");
        if said == 429 {
            assert_eq!(reply.header("retry-after"), "7");
        }
    }
    upstream.set("/s403", Script::new("now yes"));
    app.read("g", "s403").await.expect_bytes(b"now yes");
}

#[tokio::test]
async fn an_unreachable_upstream_is_502_and_a_silent_one_504() {
    let app = App::setup()
        .env("ARTIFACTAPI_UPSTREAM_HEAD_SECONDS", "4")
        .start()
        .await;
    let refusing = Upstream::refusing();
    let silent = Upstream::start();
    silent.set("/a", Script::new("x").delay(std::time::Duration::from_secs(30)));
    app.create_remote("r", "generic", &refusing.url(), json!({}))
        .await;
    app.create_remote("s", "generic", &silent.url(), json!({})).await;
    let reply = app.read("r", "a").await;
    assert_eq!((reply.status, reply.outcome()), (502, "upstream_unreachable"));
    let reply = app.read("s", "a").await;
    assert_eq!((reply.status, reply.outcome()), (504, "upstream_timeout"));
}

#[tokio::test]
async fn mirrors_are_asked_in_order_when_the_base_cannot_answer() {
    let app = App::start().await;
    let base = Upstream::refusing();
    let (broken, good) = (Upstream::start(), Upstream::start());
    broken.set("/a", Script::status(500));
    good.set("/a", Script::new("from the mirror"));
    let mirrors = json!({"mirrors": [broken.url(), good.url()]});
    app.create_remote("m", "generic", &base.url(), mirrors).await;
    app.read("m", "a").await.expect_bytes(b"from the mirror");
    assert_eq!(broken.count("GET", "/a"), 1);
}

#[tokio::test]
async fn a_failing_upstream_is_left_alone_after_a_while_and_a_probe_brings_it_back() {
    let (upstream, app) = generic(json!({})).await;
    upstream.set("/a", Script::status(500));
    for _ in 0..5 {
        assert_eq!(app.read("g", "a").await.status, 502);
    }
    let open = app.read("g", "a").await;
    assert_eq!((open.status, open.outcome()), (503, "breaker_open"));
    assert!(
        open.header("retry-after").parse::<u64>().is_ok(),
        "{:?}",
        open.headers
    );
    assert_eq!(upstream.count("GET", "/a"), 5);
    upstream.set("/a", Script::new("healed"));
    crate::support::eventually("the breaker closes", || async {
        let reply = app.read("g", "a").await;
        reply.complete().then(|| reply.expect_bytes(b"healed"))
    })
    .await;
}

#[tokio::test]
async fn errors_of_the_object_do_not_trip_the_breaker() {
    let (upstream, app) = generic(json!({})).await;
    for number in 0..8 {
        for (kind, status) in [("denied", 403), ("quota", 429), ("absent", 404)] {
            let path = format!("{kind}-{number}");
            upstream.set(&format!("/{path}"), Script::status(status));
            assert_eq!(app.read("g", &path).await.status, status);
        }
    }
    upstream.set("/fine", Script::new("fine"));
    app.read("g", "fine").await.expect_bytes(b"fine");
}

#[tokio::test]
async fn an_object_larger_than_the_limit_is_refused_however_it_is_framed() {
    use crate::support::script::Framing;
    let (upstream, app) = generic(json!({"max_object_bytes": 100_000})).await;
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        let path = format!("big-{framing:?}");
        upstream.set(
            &format!("/{path}"),
            Script::new(bytes_of(1, 100_001)).framing(framing),
        );
        let reply = app.read("g", &path).await;
        assert!(!reply.complete(), "{framing:?}");
    }
    upstream.set("/fits", Script::new(bytes_of(1, 100_000)));
    app.read("g", "fits").await.expect_bytes(&bytes_of(1, 100_000));
    app.stored("g", "fits").await;
    assert_eq!(app.objects("g").await.len(), 1);
}

#[tokio::test]
async fn a_body_that_fits_into_the_held_tail_fails_with_an_honest_status() {
    let (upstream, app) = generic(json!({})).await;
    upstream.set(
        "/small",
        Script::new(bytes_of(1, 20_000)).fault(Fault::Truncate(10_000)),
    );
    let reply = app.read("g", "small").await.expect(502);
    assert_eq!(reply.outcome(), "upstream_cut");
}
