//! Mixed writes and fills, a history of what was acknowledged, and the audit that holds a store against it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::app::{App, TOKEN};
use crate::support::bytes::{Rng, bytes_of};
use crate::support::client::Reply;
use crate::support::script::{Framing, Script};
use crate::support::upstream::Upstream;

const WRITERS: u64 = 3;
const FILLS: u64 = 2;
/// Objects of the remote.
const OBJECTS: u64 = 40;
/// Names of each writer.
const NAMES: u64 = 24;
/// After a request that was not acknowledged.
const PAUSE: Duration = Duration::from_millis(40);

/// What may stand under a name: seed and size of the body; `None` is absence.
type State = Option<(u64, usize)>;

/// What is known about a name: the acknowledged state, and what a request without an answer may have made of it.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    acknowledged: State,
    asked: Option<State>,
}

/// The history of every name, by the writers themselves.
#[derive(Clone, Default)]
pub(super) struct History(Arc<Mutex<HashMap<String, Known>>>);

impl History {
    /// Notes what is asked for; `false` where it is unknown what an earlier request has done.
    fn asks(&self, name: &str, state: State) -> bool {
        let mut names = self.0.lock().unwrap();
        let known = names.entry(name.into()).or_default();
        let is_free = known.asked.is_none();
        if is_free {
            known.asked = Some(state);
        }
        is_free
    }

    fn acknowledges(&self, name: &str) {
        let mut names = self.0.lock().unwrap();
        let known = names.get_mut(name).unwrap();
        known.acknowledged = known.asked.take().unwrap();
    }

    fn all(&self) -> Vec<(String, Known)> {
        let names = self.0.lock().unwrap();
        names.iter().map(|(name, known)| (name.clone(), *known)).collect()
    }

    /// Names that were ever written.
    pub(super) fn names(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// What a name turned out to be.
    fn settles(&self, name: &str, acknowledged: State) {
        let known = Known {
            acknowledged,
            asked: None,
        };
        self.0.lock().unwrap().insert(name.into(), known);
    }
}

fn body(state: (u64, usize)) -> Bytes {
    bytes_of(state.0, state.1)
}

fn remote_body(number: u64) -> Bytes {
    bytes_of(1_000_000 + number, 1000 + (number as usize) * 50_000)
}

/// A client of its own, so that it can outlive the borrow of the program.
#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    root: String,
}

impl Caller {
    fn of(app: &App) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            http,
            root: format!("http://{}", app.address()),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Reply {
        let request = self.http.request(method, format!("{}{path}", self.root));
        Reply::of(request.bearer_auth(TOKEN).body(body)).await
    }
}

/// Work that goes on until it is stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    work: Vec<JoinHandle<u64>>,
}

impl Load {
    /// Makes the repositories of the load.
    pub(super) async fn prepare(app: &App, upstream: &Upstream) {
        for number in 0..OBJECTS {
            let framing = if number.is_multiple_of(2) {
                Framing::Length
            } else {
                Framing::Chunked
            };
            let script = Script::new(remote_body(number)).framing(framing);
            upstream.set(&format!("/m{number}"), script);
        }
        app.create_local("l", "generic", json!({})).await;
        app.create_remote("g", "generic", &upstream.url(), json!({}))
            .await;
    }

    /// Begins to write and to read.
    pub(super) fn begin(app: &App, history: &History, rng: &mut Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = Caller::of(app);
        let mut work = Vec::new();
        for who in 0..WRITERS {
            let (caller, history, stop) = (caller.clone(), history.clone(), Arc::clone(&stop));
            work.push(tokio::spawn(write(
                caller,
                history,
                (who, Rng::new(rng.next())),
                stop,
            )));
        }
        for _ in 0..FILLS {
            let (caller, stop) = (caller.clone(), Arc::clone(&stop));
            work.push(tokio::spawn(fill(caller, Rng::new(rng.next()), stop)));
        }
        Self { stop, work }
    }

    /// Ends it; gives the number of requests that were acknowledged. Fails where an answer was wrong.
    pub(super) async fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let mut acknowledged = 0;
        for task in self.work {
            acknowledged += task.await.expect("nobody saw a wrong answer");
        }
        acknowledged
    }
}

/// Puts, replaces and deletes under names of its own.
async fn write(caller: Caller, history: History, (who, mut rng): (u64, Rng), stop: Arc<AtomicBool>) -> u64 {
    let mut acknowledged = 0;
    while !stop.load(Ordering::SeqCst) {
        let name = format!("w{who}/{}", rng.below(NAMES));
        let state = (rng.below(5) > 0).then(|| (rng.next(), 1000 + rng.below(1_500_000) as usize));
        if !history.asks(&name, state) {
            tokio::task::yield_now().await;
            continue;
        }
        let method = if state.is_some() {
            Method::PUT
        } else {
            Method::DELETE
        };
        let bytes = state.map(body).unwrap_or_default();
        let reply = caller.call(method, &App::path("l", &name), bytes).await;
        match reply.status {
            200..=204 | 404 => {
                history.acknowledges(&name);
                acknowledged += 1;
            }
            0 | 500.. => tokio::time::sleep(PAUSE).await,
            other => panic!("{name}: {other} {}", reply.text()),
        }
    }
    acknowledged
}

/// Reads through the remote; whatever is complete must be right.
async fn fill(caller: Caller, mut rng: Rng, stop: Arc<AtomicBool>) -> u64 {
    let mut complete = 0;
    while !stop.load(Ordering::SeqCst) {
        let number = rng.below(OBJECTS);
        let path = App::path("g", &format!("m{number}"));
        let reply = caller.call(Method::GET, &path, Bytes::new()).await;
        if reply.complete() {
            assert!(reply.body == remote_body(number), "m{number}");
            complete += 1;
        } else {
            assert!(
                [0, 200, 500, 502, 503, 504].contains(&reply.status),
                "m{number}: {}",
                reply.status
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
    complete
}

/// Holds every name and every cached object against what is known of it.
pub(super) async fn audit(app: &App, history: &History) {
    for (name, known) in history.all() {
        let reply = app.read("l", &name).await;
        let fits = |state: State| match state {
            Some(state) => reply.complete() && reply.body == body(state),
            None => reply.status == 404,
        };
        let candidates = [Some(known.acknowledged), known.asked];
        let found = candidates.into_iter().flatten().find(|state| fits(*state));
        let found = found.unwrap_or_else(|| panic!("{name}: {known:?}, and found {}", reply.status));
        history.settles(&name, found);
    }
    for object in app.objects("g").await {
        let path = object["path"].as_str().unwrap_or_default().to_owned();
        let number = path[1..].parse().expect("a number");
        app.read("g", &path).await.expect_bytes(&remote_body(number));
    }
}

/// A number of rounds from the environment.
pub(super) fn rounds(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{variable}: {text}"))
    })
}
