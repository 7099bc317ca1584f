//! Bodies that are sent past the buffer: the same bytes as any other, and the same end where they cannot be whole.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{PATIENCE, Wire, config, running};
use crate::Running;
use crate::admin::harness::Bench;

/// More than the buffers of both sockets take.
const MUCH: usize = 24 << 20;

async fn bench() -> Bench {
    let bench = Bench::start().await;
    let local = json!({"name": "l", "package_type": "generic"});
    assert_eq!(bench.call("POST", "/api/v2/locals", local).await.status, 201);
    bench
}

/// Text that is nowhere like itself, so that bytes at the wrong place show.
fn text(length: usize) -> String {
    let mut text = String::with_capacity(length + 8);
    let mut number = 0;
    while text.len() < length {
        writeln!(text, "{number:07x}").unwrap();
        number += 1;
    }
    text.truncate(length);
    text
}

async fn put(bench: &Bench, name: &str, body: &str) {
    let path = format!("/api/v1/remote/l/{name}");
    assert_eq!(bench.call_text("PUT", &path, body).await.status, 201);
}

fn get(name: &str, fields: &str) -> String {
    format!("GET /api/v1/remote/l/{name} HTTP/1.1\r\nhost: x\r\n{fields}\r\n")
}

impl Wire {
    /// Reads one answer: its head, and as many bytes as it says.
    async fn answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = timeout(PATIENCE, self.0.read_u8()).await.expect("a head");
            head.push(read.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect(&head);
        assert!(!head.contains("transfer-encoding"), "{head}");
        let mut body = vec![0; length.parse().unwrap()];
        let read = timeout(PATIENCE, self.0.read_exact(&mut body)).await;
        read.expect("a body").unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn ask(&mut self, name: &str, fields: &str) -> (String, String) {
        self.say(&get(name, fields)).await;
        self.answer().await
    }
}

/// The one stored object that is this large.
fn object(bench: &Bench, size: usize) -> PathBuf {
    let mut folders = vec![bench.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.len() == size as u64 && !entry.path().to_string_lossy().contains("c.sqlite") {
                return entry.path();
            }
        }
    }
    panic!("no object of {size} bytes");
}

#[actix_web::test]
async fn bodies_of_every_size_come_whole_one_after_the_other_on_one_connection() {
    let bench = bench().await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    let kib = 1 << 10;
    for size in [1, 64 * kib, 128 * kib, 256 * kib, kib * kib, 4 * kib * kib] {
        for size in [size - 1, size, size + 1] {
            let (name, body) = (format!("f{size}"), text(size));
            put(&bench, &name, &body).await;
            let (head, read) = wire.ask(&name, "").await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(read == body, "{size}");
        }
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn ranges_are_those_bytes_and_heads_have_none() {
    let bench = bench().await;
    let body = text(3 << 20);
    put(&bench, "f", &body).await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    for (from, to) in [(0, 0), (1, 70_000), (65_535, 2_000_000), (100, (3 << 20) - 1)] {
        let (head, read) = wire.ask("f", &format!("range: bytes={from}-{to}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        assert!(
            head.contains(&format!("content-range: bytes {from}-{to}/{}\r\n", 3 << 20)),
            "{head}"
        );
        assert!(read == body[from..=to], "{from}-{to}");
    }
    wire.say(&get("f", "").replacen("GET", "HEAD", 1)).await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.contains(&format!("content-length: {}\r\n", 3 << 20)) && head.ends_with("\r\n\r\n"));
    assert_eq!(wire.ask("f", "range: bytes=8-15\r\n").await.1, "0000001\n");
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn requests_that_come_at_once_are_answered_in_order() {
    let bench = bench().await;
    let (large, small) = (text(2 << 20), text(100));
    put(&bench, "large", &large).await;
    put(&bench, "small", &small).await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    let order = ["large", "small", "large", "large", "small"];
    wire.say(&order.map(|name| get(name, "")).concat()).await;
    for name in order {
        let whole = if name == "large" { &large } else { &small };
        assert!(wire.answer().await.1 == *whole, "{name}");
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_client_of_http_1_0_reads_to_the_end_of_the_connection() {
    let bench = bench().await;
    let body = text(1 << 20);
    put(&bench, "f", &body).await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say("GET /api/v1/remote/l/f HTTP/1.0\r\n\r\n").await;
    let answer = wire.rest().await;
    assert!(answer.ends_with(&body) && answer.contains("content-length: 1048576\r\n"));
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn what_is_not_in_memory_is_read_from_the_disk() {
    let bench = bench().await;
    let body = text(9 << 20);
    put(&bench, "f", &body).await;
    let file = std::fs::File::open(object(&bench, body.len())).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let server = running(&bench).await;
    assert!(Wire::open(&server).await.ask("f", "").await.1 == body);
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_file_that_is_cut_meanwhile_ends_the_connection() {
    let bench = bench().await;
    put(&bench, "f", &text(MUCH)).await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say(&get("f", "")).await;
    wire.until("\r\n\r\n").await;
    let file = std::fs::File::options().write(true).open(object(&bench, MUCH));
    file.unwrap().set_len(MUCH as u64 / 2).unwrap();
    let rest = wire.rest().await;
    assert!(rest.len() <= MUCH / 2, "{}", rest.len());
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn whoever_leaves_is_counted_with_what_was_sent() {
    let bench = bench().await;
    put(&bench, "f", &text(MUCH)).await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say(&get("f", "")).await;
    wire.until("\r\n\r\n").await;
    drop(wire);
    let counted = async {
        loop {
            let bytes = sent(&bench).await;
            if bytes > 0 {
                return bytes;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let bytes = timeout(PATIENCE, counted).await.expect("the request ends");
    assert!(bytes < MUCH as u64, "{bytes}");
    assert_eq!(ask_once(&server).await, MUCH);
    server.stop().await;
    bench.stop().await;
}

/// Bytes of answers that have ended, as the metrics have them.
async fn sent(bench: &Bench) -> u64 {
    let text = bench.call("GET", "/metrics", serde_json::Value::Null).await.text;
    let lines = text
        .lines()
        .filter(|line| line.starts_with("artifactapi_response_bytes_total") && line.contains("\"local\""));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

async fn ask_once(server: &Running) -> usize {
    Wire::open(server).await.ask("f", "").await.1.len()
}

#[actix_web::test]
async fn switched_off_it_streams_the_same_bytes() {
    let bench = bench().await;
    let body = text(3 << 20);
    put(&bench, "f", &body).await;
    let mut config = config();
    config.server.sendfile = false;
    let server = crate::serve(bench.parts(), &config).await.unwrap();
    let mut wire = Wire::open(&server).await;
    assert!(wire.ask("f", "").await.1 == body);
    let (head, read) = wire.ask("f", "range: bytes=5-99999\r\n").await;
    assert!(head.starts_with("HTTP/1.1 206 ") && read == body[5..=99_999]);
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_body_that_is_being_sent_ends_before_the_server_does() {
    let bench = bench().await;
    let body = text(MUCH);
    put(&bench, "f", &body).await;
    let mut config = config();
    (config.server.stop_seconds, config.deadlines.body_idle_seconds) = (60, 60);
    let server = crate::serve(bench.parts(), &config).await.unwrap();
    let mut wire = Wire::open(&server).await;
    wire.say(&get("f", "")).await;
    // It has begun.
    timeout(PATIENCE, wire.0.peek(&mut [0])).await.unwrap().unwrap();
    let reading = async { wire.answer().await.1 };
    let (read, ()) = futures_util::join!(reading, server.stop());
    assert!(read == body);
    // Nothing more is taken.
    wire.0.write_all(get("f", "").as_bytes()).await.ok();
    assert_eq!(wire.rest().await, "");
    bench.stop().await;
}
