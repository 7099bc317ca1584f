//! Clients and upstreams that need patience: old clients that know no chunks, refreshes that take their time.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::generic;
use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::script::{Fault, Framing, Gate, Script};
use crate::support::upstream::Upstream;

/// What a client of HTTP/1.0 gets: the head, and everything until the connection ends.
async fn old_client(app: &App, path: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(app.address()).await.unwrap();
    let request = format!("GET {} HTTP/1.0\r\n\r\n", App::path("g", path));
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn a_client_that_knows_no_chunks_gets_a_length_or_an_error() {
    let (upstream, app) = generic(json!({})).await;
    let body = bytes_of(1, 2_000_000);
    let chunked = Script::new(body.clone()).framing(Framing::Chunked);
    upstream.set("/whole", chunked.clone());
    let (head, got) = old_client(&app, "whole").await;
    assert!(head.contains("content-length: 2000000"), "{head}");
    assert!(got == body);

    upstream.set("/cut", chunked.fault(Fault::Truncate(1_000_000)));
    let (head, _) = old_client(&app, "cut").await;
    assert!(head.contains(" 502 "), "{head}");
}

#[tokio::test]
async fn a_slow_refresh_is_awaited_where_the_copy_may_not_answer() {
    let upstream = Upstream::start();
    let app = App::setup()
        .env("ARTIFACTAPI_CACHE_REFRESH_WAIT_SECONDS", "1")
        .start()
        .await;
    let settings = json!({"mutable_patterns": ["."], "mutable_ttl": 1, "stale_on_error": false});
    app.create_remote("g", "generic", &upstream.url(), settings).await;
    upstream.set("/a", Script::new("first").etag("v1"));
    app.read("g", "a").await.expect_bytes(b"first");
    app.stored("g", "a").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gate = Gate::closed();
    upstream.set("/a", Script::new("second").etag("v2").gate(0, &gate));
    let opening = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate.open();
    };
    let (reply, ()) = tokio::join!(app.read("g", "a"), opening);
    reply.expect_bytes(b"second");
}
