//! The upstream double and the proxy of faults themselves: they must lie exactly as told, or the other tests prove nothing.

use std::time::Duration;

use crate::support::bytes::bytes_of;
use crate::support::chaos::{Chaos, Mode};
use crate::support::client::Reply;
use crate::support::script::{Fault, Framing, Gate, Script};
use crate::support::upstream::Upstream;

const SIZE: u64 = 300_000;

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .read_timeout(Duration::from_secs(1))
        .build()
        .unwrap()
}

async fn get(upstream: &Upstream, path: &str, fields: &[(&str, &str)]) -> Reply {
    let request = client().get(format!("{}{path}", upstream.url()));
    Reply::of(
        fields
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value)),
    )
    .await
}

/// What an honest HTTP client sees of a fault: (whole, as many bytes as the object has, the object's bytes).
fn expected(fault: Option<Fault>, framing: Framing) -> (bool, bool, bool) {
    match (fault, framing) {
        (None, _) => (true, true, true),
        (Some(Fault::Flip(_)), _) => (true, true, false),
        (Some(Fault::Truncate(_) | Fault::LieShorter(_) | Fault::LieLonger(_)), Framing::UntilClose)
        | (Some(Fault::LieShorter(_)), Framing::Length) => (true, false, false),
        (Some(Fault::LieLonger(_)), Framing::Length) => (false, true, true),
        _ => (false, false, false),
    }
}

#[tokio::test]
async fn every_fault_shows_in_every_framing_as_it_should() {
    let upstream = Upstream::start();
    let body = bytes_of(1, SIZE as usize);
    let half = SIZE / 2;
    let faults = [
        Fault::Flip(half),
        Fault::Truncate(half),
        Fault::Reset(half),
        Fault::Stall(half),
        Fault::LieLonger(1000),
        Fault::LieShorter(1000),
    ];
    let faults = faults.into_iter().map(Some).chain([None]);
    for (fault, framing) in faults.flat_map(|fault| {
        [Framing::Length, Framing::Chunked, Framing::UntilClose].map(|framing| (fault, framing))
    }) {
        let script = Script {
            fault,
            ..Script::new(body.clone()).framing(framing)
        };
        upstream.set("/x", script);
        let got = get(&upstream, "/x", &[]).await;
        assert_eq!(got.status, 200, "{fault:?} {framing:?}");
        let (whole, long, right) = expected(fault, framing);
        assert_eq!(
            got.whole,
            whole,
            "{fault:?} {framing:?}: {} bytes",
            got.body.len()
        );
        // A chunk whose length is a lie may pass on bytes that are not the object's before it breaks.
        if got.whole || framing != Framing::Chunked {
            assert_eq!(
                got.body.len() as u64 == SIZE,
                long,
                "{fault:?} {framing:?}: {}",
                got.body.len()
            );
            assert_eq!(got.body == body, right, "{fault:?} {framing:?}");
        }
    }
}

#[tokio::test]
async fn conditions_and_ranges_are_answered() {
    let upstream = Upstream::start();
    let body = bytes_of(2, 1000);
    upstream.set("/x", Script::new(body.clone()).etag("v1"));
    assert_eq!(
        get(&upstream, "/x", &[("if-none-match", "\"v1\"")]).await.status,
        304
    );
    assert_eq!(
        get(&upstream, "/x", &[("if-none-match", "\"v2\"")]).await.status,
        200
    );
    let part = get(&upstream, "/x", &[("range", "bytes=10-"), ("if-range", "\"v1\"")])
        .await
        .expect(206);
    assert_eq!(part.body, body[10..]);
    assert_eq!(part.header("content-range"), "bytes 10-999/1000");
    assert_eq!(
        get(&upstream, "/x", &[("range", "bytes=10-"), ("if-range", "\"v2\"")])
            .await
            .status,
        200
    );
    assert_eq!(
        get(&upstream, "/x", &[("range", "bytes=2000-")]).await.status,
        416
    );
    assert_eq!(get(&upstream, "/y", &[]).await.status, 404);
    assert_eq!(upstream.count("GET", "/x"), 5);
}

#[tokio::test]
async fn a_gate_holds_the_body_back_and_a_successor_takes_over() {
    let upstream = Upstream::start();
    let body = bytes_of(3, 1000);
    let gate = Gate::closed();
    upstream.set(
        "/x",
        Script::new(body.clone())
            .gate(500, &gate)
            .then(Script::status(500)),
    );
    let reading = get(&upstream, "/x", &[]);
    let opening = async {
        while upstream.hits("/x").first().is_none_or(|hit| hit.bytes() < 500) {
            tokio::task::yield_now().await;
        }
        gate.open();
    };
    let (got, ()) = tokio::join!(reading, opening);
    got.expect_bytes(&body);
    assert_eq!(get(&upstream, "/x", &[]).await.status, 500);
}

#[tokio::test]
async fn a_refusing_upstream_can_be_healed_and_refuse_again() {
    let mut upstream = Upstream::refusing();
    upstream.set("/x", Script::new("ok"));
    assert_eq!(get(&upstream, "/x", &[]).await.status, 0);
    upstream.listen();
    get(&upstream, "/x", &[]).await.expect_bytes(b"ok");
    upstream.refuse().await;
    assert_eq!(get(&upstream, "/x", &[]).await.status, 0);
    upstream.listen();
    get(&upstream, "/x", &[]).await.expect_bytes(b"ok");
    assert_eq!(upstream.connections(), 2);
}

/// A proxy before an upstream, and a client that goes through it and keeps its connection.
async fn proxied() -> (Upstream, Chaos, reqwest::Client) {
    let upstream = Upstream::start();
    upstream.set("/a", Script::new(bytes_of(1, 1000)));
    let url = upstream.url().parse().unwrap();
    (upstream, Chaos::before(&url).await, client())
}

#[tokio::test]
async fn the_proxy_passes_delays_swallows_and_cuts_as_it_is_told() {
    let (_upstream, link, client) = proxied().await;
    let ask = async || Reply::of(client.get(format!("http://{}/a", link.address()))).await;
    ask().await.expect_bytes(&bytes_of(1, 1000));
    assert!(link.down() > 1000 && link.opened() == 1 && link.open() == 1);

    link.set(Mode::Delay(Duration::from_millis(200)));
    let start = std::time::Instant::now();
    ask().await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(400), "both ways");

    link.set(Mode::DropNew);
    assert_eq!(ask().await.status, 200, "an open connection goes on");
    link.cut();
    assert_eq!(ask().await.status, 0);
    link.set(Mode::Pass);
    ask().await.expect(200);

    link.set(Mode::BlackHole);
    assert_eq!(ask().await.status, 0, "nothing comes in a second");
    link.set(Mode::Pass);
    ask().await.expect(200);
}
