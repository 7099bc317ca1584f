//! The program itself over HTTP: health, statistics, probe, collection, metrics.

use serde_json::{Value, json};

use super::harness::Bench;
use crate::state::Phase;

#[actix_web::test]
async fn health_names_stores_and_workers() {
    let bench = Bench::start().await;
    let health = bench.call_with("GET", "/api/v2/health", Value::Null, &[]).await;
    assert_eq!(health.status, 200, "{}", health.text);
    let document = health.json();
    assert_eq!(document["status"], "ok");
    let names: Vec<_> = document["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["catalog", "blobs", "hot"]);
    assert!(
        document["workers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|worker| worker["name"] == "gc")
    );
    bench.stop().await;
}

#[actix_web::test]
async fn readiness_fails_before_anything_else_does() {
    let bench = Bench::start().await;
    assert_eq!(
        bench
            .call_with("GET", "/api/v2/health/ready", Value::Null, &[])
            .await
            .status,
        200
    );
    bench.phase.send_replace(Phase::Draining);
    assert_eq!(
        bench
            .call_with("GET", "/api/v2/health/ready", Value::Null, &[])
            .await
            .status,
        503
    );
    assert_eq!(
        bench
            .call_with("GET", "/api/v2/health/live", Value::Null, &[])
            .await
            .status,
        200
    );
    assert_eq!(
        bench.call("GET", "/api/v2/remotes", Value::Null).await.status,
        200
    );
    bench.stop().await;
}

#[actix_web::test]
async fn a_probe_tells_what_a_client_would_get() {
    let bench = Bench::start().await;
    let mut document = json!({
        "name": "r", "package_type": "generic", "base_url": "http://upstream.example/", "blocklist": ["secret"],
    });
    assert_eq!(
        bench
            .call("POST", "/api/v2/remotes", document.clone())
            .await
            .status,
        201
    );
    for (path, ok, status, outcome) in [
        ("good.txt", true, 200, "miss"),
        ("missing", false, 404, "not_found"),
        ("refused", false, 403, "upstream_denied"),
        ("away", false, 502, "upstream_unreachable"),
        ("secret.txt", false, 403, "denied"),
    ] {
        let report = bench
            .call("POST", "/api/v2/probe", json!({"remote": "r", "path": path}))
            .await;
        assert_eq!(report.status, 200, "{path}");
        let report = report.json();
        assert_eq!(
            (
                &report["ok"],
                &report["status"],
                &report["outcome"],
                &report["would_cache"]
            ),
            (&json!(ok), &json!(status), &json!(outcome), &json!(ok)),
            "{report}"
        );
        assert_eq!(report["key"], path);
        assert!(!report.to_string().contains("hunter2"), "{report}");
    }
    let objects = bench.call("GET", "/api/v2/remotes/r/objects", Value::Null).await;
    assert_eq!(objects.json()["items"], json!([]), "nothing is stored");
    document["method"] = json!("PUT");
    let unknown = bench.call("POST", "/api/v2/probe", document).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(
        bench
            .call("POST", "/api/v2/probe", json!({"remote": "x", "path": "p"}))
            .await
            .status,
        404
    );
    bench.stop().await;
}

#[actix_web::test]
async fn statistics_count_requests_and_what_is_stored() {
    let bench = Bench::start().await;
    bench.remote("r").await;
    for _ in 0..2 {
        let read = bench
            .call_with("GET", "/api/v1/remote/r/x.txt", Value::Null, &[])
            .await;
        assert_eq!((read.status.as_u16(), read.text.as_str()), (200, "/x.txt"));
    }
    let stats = bench.call("GET", "/api/v2/stats", Value::Null).await.json();
    assert_eq!(stats["totals"]["requests"], 2, "{stats}");
    assert_eq!(stats["remotes"][0]["name"], "r");
    assert_eq!(stats["remotes"][0]["bytes"], 12);
    assert_eq!(stats["series"].as_array().unwrap().len(), 1);
    let metrics = bench.call("GET", "/metrics", Value::Null).await.text;
    assert!(
        metrics.contains(r#"artifactapi_requests_total{repository="r""#),
        "{metrics}"
    );
    let refused = bench.call("GET", "/api/v2/stats?hours=0", Value::Null).await;
    assert_eq!(refused.fields(), ["hours"]);
    bench.stop().await;
}

#[actix_web::test]
async fn a_collection_reports_and_is_remembered() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.call("GET", "/api/v2/gc", Value::Null).await.json(),
        json!({"last": null})
    );
    let report = bench
        .call("POST", "/api/v2/gc", json!({"dry_run": true, "grace_seconds": 0}))
        .await;
    assert_eq!(report.status, 200, "{}", report.text);
    assert_eq!(bench.call("POST", "/api/v2/gc", Value::Null).await.status, 200);
    assert!(bench.call("GET", "/api/v2/gc", Value::Null).await.json()["last"].is_object());
    assert_eq!(
        bench
            .call("POST", "/api/v2/gc", json!({"grace": 1}))
            .await
            .fields(),
        ["grace"]
    );
    bench.stop().await;
}

#[actix_web::test]
async fn unknown_kinds_of_events_are_named() {
    let bench = Bench::start().await;
    let refused = bench
        .call("GET", "/api/v2/events?kind=fetch,gossip", Value::Null)
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.fields()),
        (400, vec!["kind".to_owned()])
    );
    bench.stop().await;
}

#[actix_web::test]
async fn a_head_of_the_stream_ends() {
    let bench = Bench::start().await;
    let head = bench.call("HEAD", "/api/v2/events", Value::Null).await;
    assert_eq!(head.headers.get("content-type").unwrap(), "text/event-stream");
    bench.stop().await;
}

#[actix_web::test]
async fn nothing_is_at_other_paths_and_other_methods_are_named() {
    let bench = Bench::start().await;
    let nothing = bench.call("GET", "/api/v3", Value::Null).await;
    assert_eq!(
        (nothing.status.as_u16(), nothing.json()["code"].as_str()),
        (404, Some("not_found"))
    );
    let other = bench.call("POST", "/api/v2/stats", Value::Null).await;
    assert_eq!(other.status, 405);
    assert_eq!(other.headers.get("allow").unwrap(), "HEAD, GET, OPTIONS");
    bench.stop().await;
}
