//! One fetch for everyone who asks while it lasts: the herd, those who leave, those who come late, those who are slow.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::{Pull, Reply};
use crate::support::eventually;
use crate::support::parts::Parts;
use crate::support::script::{Gate, Script};
use crate::support::upstream::Upstream;

const MIB: u64 = 1 << 20;

/// What one client of the herd saw.
struct Seen {
    first: Instant,
    right: Result<(), String>,
}

async fn follow(
    address: std::net::SocketAddr,
    target: String,
    body: Bytes,
    seen: tokio::sync::mpsc::Sender<()>,
) -> Seen {
    let mut pull = Pull::get(address, &target, &[]).await.expect("a head");
    assert_eq!(
        (pull.status, pull.length),
        (200, Some(body.len() as u64)),
        "{}",
        pull.head
    );
    pull.compare(&body, 0, 1).await.expect("a first byte");
    let first = pull.first.expect("a first byte");
    seen.send(()).await.expect("the test listens");
    let right = pull
        .compare_rest(&body, 0)
        .await
        .map_err(|error| error.to_string());
    Seen { first, right }
}

/// 64 MiB at 16 MiB/s for 200 clients. Upstream waits in the middle until everyone has had a first byte: if one of
/// them had to wait for the end, the test would never end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_at_once_cost_one_fetch_and_bounded_memory() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let body = bytes_of(64, 64 << 20);
    let gate = Gate::closed();
    upstream.set(
        "/big",
        Script::new(body.clone())
            .etag("v1")
            .pace(16 * MIB)
            .gate(32 * MIB, &gate),
    );
    // Connections to stores are made before memory is measured.
    futures_util::future::join_all((0..32).map(|_| app.read("g", "warm"))).await;
    let before = app.memory("VmRSS");
    app.forget_peak();

    let (tell, mut told) = tokio::sync::mpsc::channel(200);
    let target = App::path("g", "big");
    let herd: Vec<_> = (0..200)
        .map(|_| tokio::spawn(follow(app.address(), target.clone(), body.clone(), tell.clone())))
        .collect();
    for _ in 0..200 {
        let waited = tokio::time::timeout(Duration::from_mins(2), told.recv()).await;
        waited
            .expect("every client gets a first byte while upstream waits")
            .expect("a client");
    }
    gate.open();
    let mut firsts = Vec::new();
    for client in herd {
        let seen = client.await.expect("no client panics");
        seen.right.expect("the right bytes, all of them");
        firsts.push(seen.first);
    }
    let grown = app.memory("VmHWM").saturating_sub(before);
    report(&upstream, firsts, grown);
    assert_eq!(upstream.count("GET", "/big"), 1, "one fetch");
    // Towards a bucket, parts of the object are in memory besides.
    let parts = if Parts::asked().s3 { 2 * 8 * 1024 } else { 0 };
    assert!(grown < 64 * 1024 + parts, "memory grew by {grown} KiB");
}

/// Prints the figures; `scripts/trials/herd` reads them.
fn report(upstream: &Upstream, mut firsts: Vec<Instant>, grown: u64) {
    let hit = &upstream.hits("/big")[0];
    let origin = hit.first().expect("upstream sent 128 KiB");
    firsts.sort_unstable();
    let after = |at: usize| firsts[at].saturating_duration_since(origin).as_secs_f64() * 1000.0;
    println!(
        "herd: upstream sent 128 KiB after {:.1} ms; first byte of 200 clients later by: median {:.1} ms, p90 {:.1} ms, last {:.1} ms; \
         memory +{grown} KiB; upstream GETs {}",
        origin.duration_since(hit.at).as_secs_f64() * 1000.0,
        after(100),
        after(180),
        after(199),
        upstream.count("GET", "/big"),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leavers_sippers_late_comers_and_ranges_change_nothing_for_the_others() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let size = 12 * MIB;
    let body = bytes_of(12, size as usize);
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let quarters = [size / 4, size / 2, size / 4 * 3];
    let script = quarters
        .iter()
        .zip(&gates)
        .fold(Script::new(body.clone()).etag("v1"), |script, (at, gate)| {
            script.gate(*at, gate)
        });
    upstream.set("/big", script);
    let target = App::path("g", "big");
    let join = |field: &'static str| {
        let (address, target) = (app.address(), target.clone());
        async move { Pull::get(address, &target, &[field]).await.expect("a head") }
    };

    let mut leaver = join("x-who: leaver").await;
    leaver.compare(&body, 0, size / 10).await.unwrap();
    drop(leaver);
    let mut steady = join("x-who: steady").await;
    let mut sipper = join("x-who: sipper").await;
    let mut late = Vec::new();
    for (quarter, gate) in quarters.iter().zip(&gates) {
        // What has arrived is there for a newcomer, though upstream waits.
        let mut pull = join("x-who: late").await;
        pull.compare(&body, 0, quarter - 100_000).await.unwrap();
        late.push(pull);
        steady
            .compare(&body, 0, quarter - 100_000 - steady.taken)
            .await
            .unwrap();
        let mut ranged = join("range: bytes=1000-199999").await;
        assert_eq!(ranged.status, 206);
        ranged.compare_rest(&body, 1000).await.unwrap();
        sipper.sip(&body, 10_000, 10_000).await.unwrap();
        assert_eq!(upstream.hits("/big")[0].ended(), None, "upstream still waits");
        gate.open();
    }
    steady.compare_rest(&body, 0).await.unwrap();
    for mut pull in late {
        pull.compare_rest(&body, 0).await.unwrap();
    }
    sipper.compare_rest(&body, 0).await.unwrap();
    assert_eq!(upstream.count("GET", "/big"), 1);
    app.stored("g", "big").await;
    app.read("g", "big").await.expect_bytes(&body);
}

#[tokio::test]
async fn a_fetch_outlives_its_only_client() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let body = bytes_of(5, 4 << 20);
    let gate = Gate::closed();
    upstream.set("/big", Script::new(body.clone()).gate(MIB, &gate));
    let mut pull = Pull::get(app.address(), &App::path("g", "big"), &[])
        .await
        .unwrap();
    pull.compare(&body, 0, 400_000).await.unwrap();
    drop(pull);
    gate.open();
    let stored = app.stored("g", "big").await;
    assert_eq!(stored["size"], 4 << 20);
    app.read("g", "big").await.expect_bytes(&body);
    assert_eq!(upstream.count("GET", "/big"), 1);
}

#[tokio::test]
async fn followers_are_marked_as_such() {
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let body = bytes_of(6, 300_000);
    let gate = Gate::closed();
    upstream.set("/a", Script::new(body.clone()).gate(200_000, &gate));
    let target = App::path("g", "a");
    let mut first = Pull::get(app.address(), &target, &[]).await.unwrap();
    let mut second = Pull::get(app.address(), &target, &[]).await.unwrap();
    gate.open();
    assert!(first.head.contains("detail=miss"), "{}", first.head);
    assert!(second.head.contains("detail=coalesced"), "{}", second.head);
    first.compare_rest(&body, 0).await.unwrap();
    second.compare_rest(&body, 0).await.unwrap();
}

#[tokio::test]
async fn a_body_of_unknown_length_reaches_everyone_whole() {
    use crate::support::script::Framing;
    let (upstream, app) = (Upstream::start(), App::start().await);
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    for (framing, size) in [
        (Framing::Chunked, 3 << 20),
        (Framing::UntilClose, 3 << 20),
        (Framing::Chunked, 20),
    ] {
        let path = format!("{framing:?}-{size}");
        let body = bytes_of(7, size);
        upstream.set(&format!("/{path}"), Script::new(body.clone()).framing(framing));
        let readers = (0..5).map(|_| app.read("g", &path));
        for reply in futures_util::future::join_all(readers).await {
            reply.expect_bytes(&body);
        }
    }
    eventually("all three land", || async {
        (app.objects("g").await.len() == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_head_that_wants_only_what_is_cached_asks_nobody() {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    upstream.set("/o", Script::new("body"));
    let head = app
        .request(reqwest::Method::HEAD, &App::path("g", "o"))
        .header("cache-control", "only-if-cached");
    assert_eq!(Reply::of(head).await.status, 504);
    assert_eq!(upstream.hits("/o").len(), 0);
}

#[tokio::test]
async fn clients_are_told_to_keep_only_what_the_remote_takes_for_immutable() {
    let upstream = Upstream::start();
    let app = App::start().await;
    let settings = json!({"mutable_patterns": ["^doc$"]});
    app.create_remote("g", "generic", &upstream.url(), settings).await;
    for (path, immutable) in [("doc", false), ("a-1.0.tgz", true)] {
        upstream.set(&format!("/{path}"), Script::new("body"));
        let miss = app.read("g", path).await.expect(200);
        app.stored("g", path).await;
        let hit = app.read("g", path).await.expect(200);
        for reply in [miss, hit] {
            let said = reply.header("cache-control");
            assert_eq!(said.contains("immutable"), immutable, "{path}: {said}");
        }
    }
}
