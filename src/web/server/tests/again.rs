//! Answers that are given again: the same as before in all but their age, and only while they hold.

use serde_json::json;

use super::{Wire, running};
use crate::Running;
use crate::admin::harness::{Bench, TOKEN};

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(field, _)| *field == name)
            .map(|(_, value)| value)
            .next()
    }

    /// All but what may differ from one time to the next.
    fn lasting(&self) -> Vec<&str> {
        let passing = ["age: ", "cache-status: ", "date: "];
        let mut lines: Vec<_> = self
            .head
            .lines()
            .filter(|line| !passing.iter().any(|name| line.starts_with(name)))
            .collect();
        lines.sort_unstable();
        lines
    }
}

async fn ask(server: &Running, path: &str, fields: &str) -> Answer {
    let mut wire = Wire::open(server).await;
    wire.say(&format!(
        "GET /api/v1/remote/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n"
    ))
    .await;
    let answer = wire.rest().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A remote whose object has been fetched, stored, and answered from the store.
async fn warmed(bench: &Bench, server: &Running) -> Answer {
    bench.remote("r").await;
    assert_eq!(ask(server, "r/a.txt", "").await.body, "/a.txt");
    loop {
        let answer = ask(server, "r/a.txt", "").await;
        if answer.field("x-artifact-source") == Some("cache") {
            return answer;
        }
    }
}

async fn counted(bench: &Bench, outcome: &str) -> f64 {
    let text = bench.call("GET", "/metrics", serde_json::Value::Null).await.text;
    let series = format!("artifactapi_requests_total{{repository=\"r\",outcome=\"{outcome}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series));
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[actix_web::test]
async fn an_answer_given_again_is_the_same_and_is_counted() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    let first = warmed(&bench, &server).await;
    let before = counted(&bench, "hit").await;
    for _ in 0..3 {
        let again = ask(
            &server,
            "r/a.txt",
            "user-agent: other\r\naccept-encoding: gzip\r\n",
        )
        .await;
        assert_eq!(again.body, first.body);
        assert_eq!(again.lasting(), first.lasting());
        assert!(again.field("age").is_some() && again.field("cache-status").unwrap().contains("hit"));
    }
    assert!((counted(&bench, "hit").await - before - 3.0).abs() < f64::EPSILON);
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn requests_come_on_one_connection_however_long_it_lasts() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    warmed(&bench, &server).await;
    let mut wire = Wire::open(&server).await;
    // Longer than the head of one request may take.
    for _ in 0..8 {
        wire.say("GET /api/v1/remote/r/a.txt HTTP/1.1\r\nhost: x\r\n\r\n")
            .await;
        assert!(wire.until("/a.txt").await.starts_with("HTTP/1.1 200 "));
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    wire.say("GET /api/v1/rem").await;
    assert!(!wire.rest().await.contains("200"), "half a head");
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn conditions_ranges_and_other_wishes_are_still_heard() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    let first = warmed(&bench, &server).await;
    let tag = format!("if-none-match: {}\r\n", first.field("etag").unwrap());
    for (fields, status, body) in [
        (tag.as_str(), "304", ""),
        ("range: bytes=1-2\r\n", "206", "a."),
        ("if-match: \"other\"\r\n", "412", ""),
    ] {
        let answer = ask(&server, "r/a.txt", fields).await;
        assert!(
            answer.head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{}",
            answer.head
        );
        assert!(body.is_empty() || answer.body == body, "{}", answer.body);
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn what_was_evicted_or_closed_is_not_given_again() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    warmed(&bench, &server).await;
    let evicted = bench
        .call(
            "DELETE",
            "/api/v2/remotes/r/objects?all=true",
            serde_json::Value::Null,
        )
        .await;
    assert_eq!(evicted.status, 200, "{}", evicted.text);
    let answer = ask(&server, "r/a.txt", "").await;
    assert_eq!(
        answer.field("x-artifact-source"),
        Some("remote"),
        "{}",
        answer.head
    );
    ask(&server, "r/a.txt", "").await;
    let closed = bench
        .call("PATCH", "/api/v2/remotes/r", json!({"anonymous_read": false}))
        .await;
    assert_eq!(closed.status, 200, "{}", closed.text);
    let answer = ask(&server, "r/a.txt", "").await;
    assert!(answer.head.starts_with("HTTP/1.1 401 "), "{}", answer.head);
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    let answer = ask(&server, "r/a.txt", &token).await;
    assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
    let answer = ask(&server, "r/a.txt", "").await;
    assert!(answer.head.starts_with("HTTP/1.1 401 "), "{}", answer.head);
    server.stop().await;
    bench.stop().await;
}
