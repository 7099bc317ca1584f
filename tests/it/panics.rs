//! Every worker that health lists is made to panic under load: requests go on, its restart is counted, and too many
//! restarts end the process for whoever runs it to see.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::script::Script;
use crate::support::upstream::Upstream;
use crate::support::{bytes::bytes_of, eventually};

const MISSES: u64 = 4000;

/// What the load has done so far.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    next: AtomicU64,
    served: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
}

/// Hits and misses, one after the other, until told to stop.
async fn load(root: String, load: Arc<Load>) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (hit, miss) = (bytes_of(1, 50_000), bytes_of(2, 50_000));
    while !load.stop.load(Ordering::SeqCst) {
        let number = load.next.fetch_add(1, Ordering::SeqCst);
        let (path, expected) = if number.is_multiple_of(2) {
            ("hit".to_owned(), &hit)
        } else {
            (format!("m{}", number % MISSES), &miss)
        };
        let reply = Reply::of(http.get(format!("{root}{}", App::path("g", &path)))).await;
        if reply.complete() && reply.body == *expected {
            load.served.fetch_add(1, Ordering::SeqCst);
        } else {
            let what = format!(
                "{path}: {} {} {}",
                reply.status,
                reply.outcome(),
                reply.body.len()
            );
            load.failures.lock().unwrap().push(what);
        }
    }
}

async fn workers(app: &App) -> Vec<Value> {
    app.health().await["workers"].as_array().expect("workers").clone()
}

fn name(worker: &Value) -> String {
    worker["name"].as_str().expect("a name").to_owned()
}

async fn crash(app: &App, worker: &str) {
    let path = format!("/api/v2/failpoints/crash?worker={}", worker.replace(' ', "%20"));
    let reply = app.admin(Method::POST, &path, Value::Null).await;
    assert!(
        (200..300).contains(&reply.status),
        "{worker} could not be hit: {} {}",
        reply.status,
        reply.text()
    );
}

/// Crashes one worker, and waits for its restart and for further requests.
async fn survive(app: &App, load: &Load, worker: &str) {
    let restarts = |listed: &[Value]| {
        let found = listed.iter().find(|listed| name(listed) == worker);
        found.and_then(|listed| {
            (listed["state"] == "running")
                .then(|| listed["restarts"].as_u64())
                .flatten()
        })
    };
    let before = restarts(&workers(app).await).unwrap_or(0);
    crash(app, worker).await;
    eventually(&format!("{worker} is started again"), || async {
        restarts(&workers(app).await).filter(|count| *count > before)
    })
    .await;
    let served = load.served.load(Ordering::SeqCst);
    eventually(&format!("requests go on after {worker}"), || async {
        (load.served.load(Ordering::SeqCst) > served + 20).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_panics_under_load_and_requests_go_on() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    upstream.set("/hit", Script::new(bytes_of(1, 50_000)));
    for number in 0..MISSES {
        upstream.set(&format!("/m{number}"), Script::new(bytes_of(2, 50_000)));
    }
    let running = Arc::new(Load::default());
    let root = format!("http://{}", app.address());
    let tasks: Vec<_> = (0..4)
        .map(|_| tokio::spawn(load(root.clone(), Arc::clone(&running))))
        .collect();
    eventually("the load runs", || async {
        (running.served.load(Ordering::SeqCst) > 20).then_some(())
    })
    .await;

    let mut hit = HashSet::new();
    while let Some(worker) = workers(&app)
        .await
        .iter()
        .map(name)
        .find(|name| !hit.contains(name))
    {
        survive(&app, &running, &worker).await;
        hit.insert(worker);
    }
    running.stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    for worker in workers(&app).await {
        assert!(worker["restarts"].as_u64() > Some(0), "not hit: {worker}");
    }
    assert!(
        hit.len() >= 5,
        "events, access log, collector, breaker, coordinators: {hit:?}"
    );
    let failures = running.failures.lock().unwrap();
    println!(
        "panics: {hit:?}; {} requests served, {} failed",
        running.served.load(Ordering::SeqCst),
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn too_many_restarts_end_the_process_with_code_70() {
    let mut app = App::start().await;
    let worker = name(&workers(&app).await[0]);
    let path = format!("/api/v2/failpoints/crash?worker={}", worker.replace(' ', "%20"));
    for _ in 0..100 {
        if app.admin(Method::POST, &path, Value::Null).await.status == 0 {
            break;
        }
    }
    assert_eq!(app.ended().await, Some(70), "{}", app.log());
}

#[tokio::test]
async fn an_unknown_worker_is_not_hit() {
    let app = App::start().await;
    let path = "/api/v2/failpoints/crash?worker=nobody";
    assert_eq!(app.admin(Method::POST, path, Value::Null).await.status, 404);
}
