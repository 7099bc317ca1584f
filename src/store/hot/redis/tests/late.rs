//! A server of the test's own making, whose answers come when the test wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use artifactapi_core::port::hot::Hot as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::*;

/// Answers each GET with the key it was asked for, and one that ends in `late` only after a time.
struct Echo {
    url: String,
    /// Connections that the other side has closed.
    closed: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

const LATE: Duration = Duration::from_millis(600);

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let closed = Arc::new(AtomicUsize::new(0));
        let counter = closed.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let closed = counter.clone();
                connections.spawn(async move {
                    answer(stream).await;
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            url,
            closed,
            _tasks: tasks,
        }
    }
}

/// Answers until the other side closes.
async fn answer(stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(words) = command(&mut read).await {
        let last = words.last().unwrap().clone();
        if last.ends_with("late") {
            sleep(LATE).await;
        }
        let reply = match words[0].as_str() {
            "GET" | "PING" => format!("${}\r\n{last}\r\n", last.len()),
            _ => "+OK\r\n".to_owned(),
        };
        if write.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One command: an array of strings. `None` at the end.
async fn command(read: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(read).await? {
        let mut word = vec![0; number(read).await? + 2];
        read.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).unwrap());
    }
    Some(words)
}

/// The number in a line such as `*3` or `$12`.
async fn number(read: &mut (impl AsyncBufReadExt + Unpin)) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}

fn open(echo: &Echo) -> Redis {
    let settings = config::Redis {
        connections: 1,
        ..settings(&echo.url)
    };
    Redis::open(&settings, &Io::start().unwrap()).unwrap()
}

async fn asks(hot: &Redis, key: &str) -> Option<String> {
    let got = hot.get(key).await.ok()?;
    Some(String::from_utf8(got.unwrap()).unwrap())
}

async fn is_closed(echo: &Echo, count: usize) {
    let waited = async {
        while echo.closed.load(Ordering::SeqCst) < count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, waited).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_late_answer_is_nobodys() {
    let echo = Echo::start().await;
    let hot = open(&echo);
    until_it_works(&hot).await;
    assert_eq!(asks(&hot, "late").await, None);
    assert_eq!(hot.pool.status().size, 0, "the connection is not kept");
    for n in 0..20 {
        until_it_works(&hot).await;
        let key = format!("key {n}");
        if let Some(got) = asks(&hot, &key).await {
            assert!(got.ends_with(&key), "asked for {key}, got {got}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    is_closed(&echo, 1).await;
}

#[tokio::test]
async fn the_answer_to_one_who_has_gone_is_nobodys() {
    let echo = Echo::start().await;
    let hot = open(&echo);
    until_it_works(&hot).await;
    let gone = timeout(Duration::from_millis(50), hot.get("late")).await;
    assert!(gone.is_err(), "its caller has not waited for the answer");
    assert_eq!(hot.pool.status().size, 0, "the connection is not kept");
    let got = asks(&hot, "next").await.expect("the server is not to blame");
    assert!(got.ends_with("next"), "{got}");
    is_closed(&echo, 1).await;
}

#[tokio::test]
async fn a_server_with_tls_is_greeted_with_it_and_must_prove_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rediss://{}", listener.local_addr().unwrap());
    let hot = Redis::open(&patient(&url), &Io::start().unwrap()).unwrap();
    let greeted = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut record = [0; 2];
        stream.read_exact(&mut record).await.unwrap();
        record
    };
    let (outcome, record) = tokio::join!(hot.get("a"), greeted);
    assert_eq!(record, [22, 3], "a TLS handshake");
    assert_eq!(kind(outcome), Kind::StoreUnavailable);
}
