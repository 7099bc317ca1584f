//! Two programs on the same three servers: what one acknowledges or is told, the other knows.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::Reply;
use crate::support::eventually;
use crate::support::parts::Parts;
use crate::support::script::Script;
use crate::support::sse::Watcher;
use crate::support::upstream::Upstream;

/// Two replicas that start at once on empty stores.
async fn pair() -> [App; 2] {
    let apps = App::setup().on(Parts::ALL).start_replicas(2).await;
    apps.try_into().ok().expect("two")
}

/// Waits until a repository is served by all.
async fn known(apps: &[App], repo: &str) {
    for app in apps {
        eventually(&format!("{repo} is served"), || async {
            // What is wrong with a path is said by a repository alone.
            let said = app.read(repo, "nothing").await.text();
            (!said.starts_with("there is no repository")).then_some(())
        })
        .await;
    }
}

/// Waits until `probe` holds, and gives how long that took.
async fn took<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    eventually(what, || {
        let held = probe();
        async { held.await.then_some(()) }
    })
    .await;
    start.elapsed()
}

#[tokio::test]
async fn both_start_at_once_on_an_empty_database_and_are_one_installation() {
    let [one, two] = pair().await;
    one.create_local("l", "generic", json!({})).await;
    one.put("l", "a", "bytes").await.expect(201);
    eventually("the local is known to both", || async {
        (two.read("l", "a").await.status == 200).then_some(())
    })
    .await;
    two.read("l", "a").await.expect_bytes(b"bytes");
}

#[tokio::test]
async fn a_replica_that_joins_later_serves_what_there_is_and_may_leave() {
    let first = App::setup().on(Parts::ALL).start().await;
    first.create_local("l", "generic", json!({})).await;
    first.put("l", "a", "bytes").await.expect(201);
    let mut later = first.replica().await;
    later.read("l", "a").await.expect_bytes(b"bytes");
    later.put("l", "b", "more").await.expect(201);
    assert_eq!(later.stop(), Some(0));
    first.read("l", "b").await.expect_bytes(b"more");
}

#[tokio::test]
async fn a_change_of_configuration_is_in_force_on_the_other_within_a_second() {
    let apps = pair().await;
    let upstream = Upstream::start();
    upstream.set("/file.exe", Script::new("bytes"));
    apps[0]
        .create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let mut times = Vec::new();
    for round in 0..20 {
        let (here, there) = (&apps[round % 2], &apps[(round + 1) % 2]);
        let blocked = round % 2 == 0;
        let patterns = if blocked { json!(["\\.exe$"]) } else { json!([]) };
        let path = "/api/v2/remotes/g";
        let changed = here
            .admin(Method::PATCH, path, json!({"blocklist": patterns}))
            .await;
        changed.expect(200);
        let status = if blocked { 403 } else { 200 };
        let time = took("the change is in force", || async {
            there.read("g", "file.exe").await.status == status
        });
        times.push(time.await);
    }
    times.sort_unstable();
    println!(
        "replicas: 20 changes in force on the other after: median {:?}, last {:?}",
        times[10], times[19]
    );
    // One may meet a hiccup of the machine.
    assert!(times[18] < Duration::from_secs(1), "{times:?}");
}

#[tokio::test]
async fn an_acknowledged_write_is_read_from_the_other_at_once() {
    let apps = pair().await;
    apps[0].create_local("l", "generic", json!({})).await;
    known(&apps, "l").await;
    for round in 0..200_usize {
        let (here, there) = (&apps[round % 2], &apps[(round + 1) % 2]);
        // Names that were never there, names that are replaced, and names that were asked for in vain.
        let name = if round % 4 < 2 {
            format!("n{round}")
        } else {
            format!("r{}", round % 3)
        };
        let body = bytes_of(round as u64, 1000 + round);
        if round % 3 == 0 {
            there.read("l", &name).await;
        }
        let put = here.put("l", &name, body.clone()).await;
        assert!(put.complete(), "round {round}: {} {}", put.status, put.text());
        there.read("l", &name).await.expect_bytes(&body);
        if round % 5 == 4 {
            there.delete("l", &name).await.expect(204);
            assert_eq!(here.read("l", &name).await.status, 404, "round {round}: deleted");
        }
    }
}

#[tokio::test]
async fn an_eviction_on_one_is_seen_by_the_other() {
    let apps = pair().await;
    let upstream = Upstream::start();
    apps[0]
        .create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    known(&apps, "g").await;
    for round in 0..6_usize {
        let (here, there) = (&apps[round % 2], &apps[(round + 1) % 2]);
        let (path, body) = (format!("o{round}"), bytes_of(round as u64, 50_000));
        upstream.set(&format!("/{path}"), Script::new(body.clone()));
        here.read("g", &path).await.expect_bytes(&body);
        here.stored("g", &path).await;
        there.read("g", &path).await.expect_bytes(&body);
        assert_eq!(upstream.count("GET", &format!("/{path}")), 1, "a hit on both");
        here.evict("g", &format!("path={path}")).await;
        assert!(there.objects("g").await.is_empty(), "the other lists nothing");
        eventually("the other misses, too", || async {
            there.read("g", &path).await.expect_bytes(&body);
            (upstream.count("GET", &format!("/{path}")) == 2).then_some(())
        })
        .await;
        there.stored("g", &path).await;
        there.evict("g", "all=true").await;
    }
}

#[tokio::test]
async fn events_of_both_reach_a_watcher_of_either() {
    let apps = pair().await;
    let mut watchers = [
        Watcher::open(&apps[0], "kind=push", None).await,
        Watcher::open(&apps[1], "kind=push", None).await,
    ];
    apps[0].create_local("l", "generic", json!({})).await;
    eventually("the local is served by both", || async {
        (apps[1].read("l", "x").await.status == 404).then_some(())
    })
    .await;
    for (name, app) in ["one", "two"].into_iter().zip(&apps) {
        eventually("a write", || async {
            app.put("l", name, "x").await.complete().then_some(())
        })
        .await;
    }
    for watcher in &mut watchers {
        let mut paths = Vec::new();
        while paths.len() < 2 {
            let told = watcher.next().await;
            let path = told.data["path"].as_str().unwrap_or_default().to_owned();
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths.sort();
        assert_eq!(paths, ["one", "two"]);
    }
}

/// Twenty clients of each replica ask for one cold object; gives how many fetches that cost.
async fn herd(apps: &[App; 2], upstream: &Upstream, path: &str, body: &Bytes) -> usize {
    let requests = apps.iter().flat_map(|app| (0..20).map(move |_| app));
    let clients = requests.map(|app| Reply::of(app.request(Method::GET, &App::path("g", path))));
    for reply in futures_util::future::join_all(clients).await {
        reply.expect_bytes(body);
    }
    upstream.count("GET", &format!("/{path}"))
}

#[tokio::test]
async fn one_cold_object_costs_one_fetch_on_two_replicas() {
    let apps = pair().await;
    let upstream = Upstream::start();
    apps[0]
        .create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    known(&apps, "g").await;
    for round in 0..5_u64 {
        let (path, body) = (format!("small{round}"), bytes_of(round, 30_000));
        let slow = Script::new(body.clone()).delay(Duration::from_millis(200));
        upstream.set(&format!("/{path}"), slow);
        assert_eq!(herd(&apps, &upstream, &path, &body).await, 1, "{path}");
        let (path, body) = (format!("large{round}"), bytes_of(round, 6 << 20));
        upstream.set(
            &format!("/{path}"),
            Script::new(body.clone()).etag("v").pace(12 << 20),
        );
        let fetches = herd(&apps, &upstream, &path, &body).await;
        assert!(fetches <= 2, "{path}: {fetches} fetches");
    }
}

#[tokio::test]
async fn a_token_made_by_one_is_good_at_both() {
    // Empty counts as unset, so that the first start makes a token.
    let setup = App::setup().on(Parts::ALL).env("ARTIFACTAPI_ADMIN_TOKEN", "");
    let apps = setup.start_replicas(2).await;
    let made = apps
        .iter()
        .filter_map(|app| std::fs::read_to_string(app.data().join("admin-token")).ok());
    let tokens: Vec<String> = made.map(|token| token.trim().to_owned()).collect();
    assert!(!tokens.is_empty(), "a token was made");
    for (token, app) in tokens
        .iter()
        .flat_map(|token| apps.iter().map(move |app| (token, app)))
    {
        let request = app.request(Method::GET, "/api/v2/remotes").bearer_auth(token);
        Reply::of(request).await.expect(200);
    }
}
