//! How the server meets clients that hesitate, stall, or want something it is not.

use serde_json::json;

use super::{Wire, running};
use crate::admin::harness::{Bench, TOKEN};

async fn bench() -> Bench {
    let bench = Bench::start().await;
    let local = json!({"name": "l", "package_type": "generic"});
    assert_eq!(bench.call("POST", "/api/v2/locals", local).await.status, 201);
    bench
}

fn put(path: &str, fields: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: x\r\n{fields}\r\n")
}

#[actix_web::test]
async fn a_client_without_the_token_hears_so_before_it_sends_a_body() {
    let bench = bench().await;
    let server = running(&bench).await;
    for (path, media) in [
        ("/api/v1/remote/l/x", "text/plain"),
        ("/api/v2/remotes/l", "application/problem+json"),
    ] {
        let mut wire = Wire::open(&server).await;
        wire.say(&put(path, "expect: 100-continue\r\ncontent-length: 5\r\n"))
            .await;
        let answer = wire.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(
            answer.contains(media) && answer.contains("www-authenticate: Bearer"),
            "{answer}"
        );
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_client_with_the_token_is_told_to_continue() {
    let bench = bench().await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    let fields = format!("authorization: Bearer {TOKEN}\r\nexpect: 100-continue\r\ncontent-length: 5\r\n");
    wire.say(&put("/api/v1/remote/l/x", &fields)).await;
    assert_eq!(wire.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.say("hello").await;
    let answer = wire.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    drop(wire);
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_forward_proxy_it_is_not() {
    let bench = bench().await;
    let server = running(&bench).await;
    for (line, status) in [
        ("GET http://other.example/api/v2/health HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400),
        ("CONNECT other.example:443 HTTP/1.1", 405),
        ("TRACE / HTTP/1.1", 405),
        ("OPTIONS /api/v2/remotes HTTP/1.1", 204),
    ] {
        let mut wire = Wire::open(&server).await;
        wire.say(&format!("{line}\r\nhost: x\r\n\r\n")).await;
        let answer = wire.until("\r\n\r\n").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn heads_and_bodies_that_stop_arriving_end_the_connection() {
    let bench = bench().await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say("GET /api/v2/health/live HTTP/1.1\r\nho").await;
    assert!(!wire.rest().await.contains("200"), "half a head");

    let mut wire = Wire::open(&server).await;
    wire.say("GET /api/v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    wire.until("\"ok\"").await;
    wire.say("GET /api/v2/hea").await;
    wire.rest().await;

    for path in ["/api/v1/remote/l/x", "/api/v2/locals/l"] {
        let mut wire = Wire::open(&server).await;
        let fields = format!("authorization: Bearer {TOKEN}\r\ncontent-length: 50\r\n");
        wire.say(&put(path, &fields)).await;
        wire.say("{\"desc").await;
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_client_that_takes_nothing_is_let_go() {
    /// More than the buffers of both sockets take.
    const MUCH: usize = 24 << 20;
    let bench = bench().await;
    let put = bench
        .call_text("PUT", "/api/v1/remote/l/big", &"x".repeat(MUCH))
        .await;
    assert_eq!(put.status, 201);
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say("GET /api/v1/remote/l/big HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    wire.until("\r\n\r\n").await;
    // Twice the limit: the kernel looks again in doubling steps.
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert!(wire.rest().await.len() < MUCH, "the rest was never sent");
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let bench = bench().await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    let fields = format!("authorization: Bearer {TOKEN}\r\ncontent-length: 900000000\r\n");
    wire.say(&put("/api/v2/locals/l", &fields)).await;
    let chunk = "x".repeat(64 << 10);
    for _ in 0..20 {
        use tokio::io::AsyncWriteExt as _;
        if wire.0.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop().await;
    bench.stop().await;
}
