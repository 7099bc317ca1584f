//! The program as its administrators see it: probes, health, statistics, metrics.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::eventually;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

async fn probe(app: &App, remote: &str, path: &str) -> Value {
    app.admin(
        Method::POST,
        "/api/v2/probe",
        json!({"remote": remote, "path": path}),
    )
    .await
    .expect(200)
    .json()
}

#[tokio::test]
async fn probes_tell_good_missing_refusing_and_slow_upstreams_apart_and_store_nothing() {
    let (upstream, refusing) = (Upstream::start(), Upstream::refusing());
    let app = App::setup()
        .env("ARTIFACTAPI_UPSTREAM_HEAD_SECONDS", "2")
        .start()
        .await;
    app.create_remote("up", "generic", &upstream.url(), json!({}))
        .await;
    app.create_remote("down", "generic", &refusing.url(), json!({}))
        .await;
    upstream.set("/good", Script::new("good").etag("v1"));
    upstream.set("/slow", Script::new("slow").delay(Duration::from_secs(30)));
    upstream.set("/hop?sig=secret", Script::redirect("/good"));

    let good = probe(&app, "up", "good").await;
    assert_eq!(
        (&good["ok"], &good["status"], &good["would_cache"]),
        (&json!(true), &json!(200), &json!(true)),
        "{good}"
    );
    assert_eq!(
        (&good["class"], &good["key"]),
        (&json!("immutable"), &json!("good")),
        "{good}"
    );
    assert_eq!(good["headers"]["etag"], "\"v1\"", "{good}");
    assert_eq!(good["final_url"], format!("{}/good", upstream.url()), "{good}");
    assert!(good["timings"]["total_ms"].is_number(), "{good}");
    let missing = probe(&app, "up", "missing").await;
    assert_eq!(
        (&missing["ok"], &missing["status"], &missing["would_cache"]),
        (&json!(false), &json!(404), &json!(false))
    );
    let refused = probe(&app, "down", "x").await;
    assert_eq!(
        (&refused["ok"], &refused["status"], &refused["outcome"]),
        (&json!(false), &json!(502), &json!("upstream_unreachable"))
    );
    assert!(refused["error"].is_string(), "{refused}");
    let slow = probe(&app, "up", "slow").await;
    assert_eq!(
        (&slow["ok"], &slow["status"], &slow["outcome"]),
        (&json!(false), &json!(504), &json!("upstream_timeout"))
    );
    assert!(app.objects("up").await.is_empty(), "nothing is stored");
    let nobody = json!({"remote": "nobody", "path": "x"});
    assert_eq!(app.admin(Method::POST, "/api/v2/probe", nobody).await.status, 404);
}

#[tokio::test]
async fn health_names_components_and_workers_and_errors_only_to_holders_of_a_token() {
    let app = App::start().await;
    assert_eq!(app.get("/api/v2/health/live").await.status, 200);
    assert_eq!(app.get("/api/v2/health/ready").await.status, 200);
    let health = app.get("/api/v2/health").await.expect(200).json();
    assert_eq!(health["status"], "ok", "{health}");
    let names: Vec<_> = health["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, [json!("catalog"), json!("blobs"), json!("hot")]);
    assert!(health["workers"].as_array().unwrap().len() >= 4, "{health}");
}

#[tokio::test]
async fn statistics_and_metrics_count_what_happened_and_outlive_a_restart() {
    let upstream = Upstream::start();
    let mut app = App::start().await;
    app.create_remote("r", "generic", &upstream.url(), json!({}))
        .await;
    upstream.set("/a", Script::new("twelve bytes"));
    for _ in 0..3 {
        app.read("r", "a").await.expect(200);
        app.stored("r", "a").await;
    }
    let counted = |stats: &Value| {
        let remotes = stats["remotes"].as_array().cloned().unwrap_or_default();
        let remote = remotes.into_iter().find(|remote| remote["name"] == "r")?;
        (remote["requests"] == 3).then_some(remote)
    };
    let stats = || async {
        app.admin(Method::GET, "/api/v2/stats", Value::Null)
            .await
            .expect(200)
            .json()
    };
    let remote = eventually("three requests counted", || async { counted(&stats().await) }).await;
    assert_eq!(
        (&remote["hits"], &remote["misses"], &remote["bytes_saved"]),
        (&json!(2), &json!(1), &json!(24)),
        "{remote}"
    );
    let metrics = app.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("# TYPE"), "{metrics}");
    assert!(metrics.contains("hit"), "{metrics}");
    assert_eq!(app.stop(), Some(0));
    app.restart().await;
    let stats = app
        .admin(Method::GET, "/api/v2/stats", Value::Null)
        .await
        .expect(200)
        .json();
    assert!(counted(&stats).is_some(), "{stats}");
}

#[tokio::test]
async fn errors_of_the_proxy_and_of_the_admin_api_have_their_own_dialects() {
    let app = App::start().await;
    let proxy = app.read("nobody", "x").await.expect(404);
    assert_ne!(proxy.header("content-type"), "application/problem+json");
    let admin = app
        .admin(Method::GET, "/api/v2/nothing", Value::Null)
        .await
        .expect(404);
    assert_eq!(admin.header("content-type"), "application/problem+json");
    let wrong = app.admin(Method::PUT, "/api/v2/health", Value::Null).await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
}
