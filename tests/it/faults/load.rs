//! Clients that hit, miss, write and read back all the time, and remember how every request went.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;

use crate::support::app::{App, TOKEN};
use crate::support::bytes::{Rng, bytes_of};
use crate::support::client::Reply;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

/// Clients at once.
const CLIENTS: u64 = 8;
/// Objects that are cached before the load begins.
pub(super) const WARM: u64 = 24;
/// A client's time between two requests.
const PAUSE: Duration = Duration::from_millis(10);

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Hit,
    Miss,
    Write,
    ReadBack,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// No answer, half an answer, or one that says that there is trouble.
    Refused(String),
    /// Something untrue.
    Wrong(String),
}

/// A request that has ended.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) what: What,
    pub(super) start: Instant,
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
}

impl Sample {
    pub(super) fn end(&self) -> Instant {
        self.start + self.took
    }
}

/// The load and its history.
pub(super) struct Load {
    root: String,
    http: reqwest::Client,
    upstream: Arc<Upstream>,
    samples: Mutex<Vec<Sample>>,
    written: Mutex<Vec<(String, u64)>>,
    misses: AtomicU64,
    stop: AtomicBool,
}

/// The bytes of the object with this number.
pub(super) fn body(number: u64) -> Bytes {
    bytes_of(number, 2000 + (number as usize * 7919) % 120_000)
}

impl Load {
    /// Starts it on a program with a remote `g`, of which the objects `/w…` are cached, and a local `l`.
    pub(super) fn start(
        app: &App,
        upstream: &Arc<Upstream>,
        rng: &mut Rng,
    ) -> (Arc<Self>, Vec<tokio::task::JoinHandle<()>>) {
        let load = Arc::new(Self {
            root: format!("http://{}", app.address()),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            upstream: Arc::clone(upstream),
            samples: Mutex::default(),
            written: Mutex::default(),
            misses: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let client = |number| {
            let (load, rng) = (Arc::clone(&load), Rng::new(rng.next()));
            tokio::spawn(async move { load.client(number, rng).await })
        };
        let clients = (0..CLIENTS).map(client).collect();
        (load, clients)
    }

    /// Lets every client end after its request.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Every request that has ended, in the order of their ends.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().expect("no poison").clone()
    }

    /// What was acknowledged: name, and the number of the bytes.
    pub(super) fn written(&self) -> Vec<(String, u64)> {
        self.written.lock().expect("no poison").clone()
    }

    async fn client(&self, number: u64, mut rng: Rng) {
        let mut count = 0;
        while !self.stop.load(Ordering::SeqCst) {
            let start = Instant::now();
            let (what, verdict) = match rng.below(10) {
                0..5 => (
                    What::Hit,
                    self.get("g", &format!("w{}", rng.below(WARM)), None).await,
                ),
                5..7 => (What::Miss, self.miss().await),
                7..9 => {
                    count += 1;
                    (
                        What::Write,
                        self.write(&format!("c{number}/{count}"), rng.below(5000)).await,
                    )
                }
                _ => (What::ReadBack, self.read_back(&mut rng).await),
            };
            let took = start.elapsed();
            let sample = Sample {
                what,
                start,
                took,
                verdict,
            };
            self.samples.lock().expect("no poison").push(sample);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads an object whose bytes have the number of its name, or this one.
    async fn get(&self, repo: &str, path: &str, number: Option<u64>) -> Verdict {
        let number = number.or_else(|| path[1..].parse().ok()).expect("a number");
        let url = format!("{}{}", self.root, App::path(repo, path));
        let reply = Reply::of(self.http.request(Method::GET, url)).await;
        match reply.status {
            200 if reply.complete() && reply.body == body(number) => Verdict::Right,
            200 if reply.complete() => Verdict::Wrong(format!("{path}: other bytes")),
            _ => judge(path, &reply),
        }
    }

    async fn miss(&self) -> Verdict {
        let number = 100_000 + self.misses.fetch_add(1, Ordering::SeqCst);
        self.upstream
            .set(&format!("/m{number}"), Script::new(body(number)));
        self.get("g", &format!("m{number}"), None).await
    }

    async fn write(&self, name: &str, number: u64) -> Verdict {
        let url = format!("{}{}", self.root, App::path("l", name));
        let request = self.http.request(Method::PUT, url).bearer_auth(TOKEN);
        let reply = Reply::of(request.body(body(number))).await;
        if reply.status != 201 {
            return judge(name, &reply);
        }
        self.written
            .lock()
            .expect("no poison")
            .push((name.to_owned(), number));
        Verdict::Right
    }

    async fn read_back(&self, rng: &mut Rng) -> Verdict {
        let picked = {
            let written = self.written.lock().expect("no poison");
            let at = rng.below(written.len() as u64) as usize;
            written.get(at).cloned()
        };
        match picked {
            Some((name, number)) => self.get("l", &name, Some(number)).await,
            None => Verdict::Right,
        }
    }
}

/// Anything but success: trouble that is told is no lie, all else is.
fn judge(path: &str, reply: &Reply) -> Verdict {
    match reply.status {
        0 => Verdict::Refused("none".into()),
        200 if !reply.whole => Verdict::Refused("cut".into()),
        500..=599 => Verdict::Refused(reply.status.to_string()),
        other => Verdict::Wrong(format!("{path}: {other} {}", reply.text())),
    }
}
