//! Ranges on a hit, on a miss and during a fill, against the bytes themselves.

use serde_json::json;

use super::generic;
use crate::support::app::App;
use crate::support::bytes::{Rng, bytes_of};
use crate::support::client::Pull;
use crate::support::eventually;
use crate::support::script::{Gate, Script};

/// What a single range means for `size` bytes, worked out apart from the product: status and span.
fn model(range: &str, size: u64) -> (u16, std::ops::Range<u64>) {
    let whole = (200, 0..size);
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => whole,
        (Ok(first), _) if first >= size => (416, 0..0),
        (Ok(first), Ok(last)) => (206, first..size.min(last + 1)),
        (Ok(first), Err(_)) if last.is_empty() => (206, first..size),
        (Err(_), Ok(0)) if first.is_empty() => (416, 0..0),
        (Err(_), Ok(tail)) if first.is_empty() => (206, size.saturating_sub(tail)..size),
        _ => whole,
    }
}

async fn check(app: &App, path: &str, body: &[u8], range: &str) {
    let size = body.len() as u64;
    let (status, span) = model(range, size);
    let reply = app.read_with("g", path, &[("range", range)]).await.expect(status);
    match status {
        206 => {
            let said = format!("bytes {}-{}/{size}", span.start, span.end - 1);
            assert_eq!(reply.header("content-range"), said, "{range}");
        }
        416 => {
            assert_eq!(
                reply.header("content-range"),
                format!("bytes */{size}"),
                "{range}"
            );
            return;
        }
        _ => assert_eq!(reply.header("content-range"), "", "{range}"),
    }
    assert!(
        reply.body == body[span.start as usize..span.end as usize],
        "{range}"
    );
}

const EDGES: &[&str] = &[
    "bytes=0-0",
    "bytes=0-",
    "bytes=-1",
    "bytes=-0",
    "bytes=199999-",
    "bytes=200000-",
    "bytes=5-4",
    "bytes=-999999999",
    "bytes=0-99999999999999999",
    "bytes=a-b",
    "bytes=",
    "items=0-9",
    "bytes=1",
    "bytes=--5",
    "bytes=65535-65536",
];

#[tokio::test]
async fn ranges_of_a_stored_object_equal_the_model() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(1, 200_000);
    upstream.set("/a", Script::new(body.clone()).etag("v1"));
    app.read("g", "a").await.expect_bytes(&body);
    app.stored("g", "a").await;
    let mut rng = Rng::printed("ranges");
    for range in EDGES {
        check(&app, "a", &body, range).await;
    }
    for _ in 0..100 {
        let (first, last) = (rng.below(220_000), rng.below(220_000));
        check(&app, "a", &body, &format!("bytes={first}-{last}")).await;
    }
    assert_eq!(upstream.hits("/a").len(), 1);
}

#[tokio::test]
async fn a_range_on_a_miss_is_answered_and_never_makes_a_wrong_whole_object() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(2, 200_000);
    for (number, range) in EDGES.iter().enumerate() {
        let path = format!("cold-{number}");
        upstream.set(&format!("/{path}"), Script::new(body.clone()).etag("v1"));
        check(&app, &path, &body, range).await;
        app.read("g", &path).await.expect_bytes(&body);
    }
}

#[tokio::test]
async fn a_range_during_a_fill_is_answered_as_soon_as_its_bytes_are_there() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(3, 1_000_000);
    let gate = Gate::closed();
    upstream.set("/a", Script::new(body.clone()).etag("v1").gate(500_000, &gate));
    let target = App::path("g", "a");
    let mut first = Pull::get(app.address(), &target, &[]).await.unwrap();
    first.compare(&body, 0, 300_000).await.unwrap();

    let near = app
        .read_with("g", "a", &[("range", "bytes=100000-199999")])
        .await
        .expect(206);
    assert!(near.body == body[100_000..200_000]);
    let same = app.read_with("g", "a", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!(same.status, 304, "a condition during a fill");
    let mut far = Pull::get(app.address(), &target, &["range: bytes=900000-"])
        .await
        .unwrap();
    assert_eq!(far.status, 206);
    assert_eq!(
        upstream.hits("/a")[0].ended(),
        None,
        "upstream still waits at the gate"
    );

    gate.open();
    far.compare_rest(&body, 900_000).await.unwrap();
    first.compare_rest(&body, 0).await.unwrap();
    app.stored("g", "a").await;
    assert_eq!(
        upstream
            .hits("/a")
            .iter()
            .filter(|hit| hit.request.header("range").is_none())
            .count(),
        1
    );
}

#[tokio::test]
async fn a_range_far_ahead_of_a_fill_does_not_wait_for_it() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(4, 24 << 20);
    let gate = Gate::closed();
    // Only the answer from the beginning waits at the gate; a ranged request of its own begins behind it.
    let open = Script::new(body.clone()).etag("v1");
    upstream.set("/a", open.clone().gate(1 << 20, &gate).then(open));
    let target = App::path("g", "a");
    let mut first = Pull::get(app.address(), &target, &[]).await.unwrap();
    first.compare(&body, 0, 500_000).await.unwrap();

    let range = format!("bytes={}-{}", 20 << 20, (20 << 20) + 99_999);
    let far = app.read_with("g", "a", &[("range", &range)]).await.expect(206);
    assert!(far.body == body[20 << 20..(20 << 20) + 100_000]);
    assert_eq!(far.outcome(), "ranged_past");
    assert!(
        far.header("cache-status").contains("fwd=partial"),
        "{:?}",
        far.headers
    );
    assert_eq!(
        upstream.hits("/a")[0].ended(),
        None,
        "the fill still waits at the gate"
    );

    gate.open();
    first.compare_rest(&body, 0).await.unwrap();
    eventually("the fill lands", || async {
        app.objects("g").await.into_iter().next()
    })
    .await;
    app.read("g", "a").await.expect_bytes(&body);
}
