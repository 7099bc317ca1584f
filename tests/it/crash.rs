//! kill -9 at random moments of mixed writes and fills: what was acknowledged is there, nothing else is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{App, TOKEN};
use crate::support::bytes::{Rng, bytes_of};
use crate::support::client::Reply;
use crate::support::process::leftovers;
use crate::support::script::{Framing, Script};
use crate::support::upstream::Upstream;

const ROUNDS: u64 = 20;
const WRITERS: u64 = 3;
const FILLS: u64 = 2;
const OBJECTS: u64 = 40;

/// What may stand under a name: seed and size of the body; `None` is absence.
type State = Option<(u64, usize)>;

/// What is known about a name: the acknowledged state, and what a request without an answer may have made of it.
#[derive(Clone, Copy, Debug)]
struct Known {
    acknowledged: State,
    asked: Option<State>,
}

/// The history of every name, by the writers themselves.
#[derive(Clone, Default)]
struct History(Arc<Mutex<HashMap<String, Known>>>);

impl History {
    fn asks(&self, name: &str, state: State) {
        let mut names = self.0.lock().unwrap();
        let known = names.entry(name.into()).or_insert(Known {
            acknowledged: None,
            asked: None,
        });
        known.asked = Some(state);
    }

    fn acknowledges(&self, name: &str) {
        let mut names = self.0.lock().unwrap();
        let known = names.get_mut(name).unwrap();
        known.acknowledged = known.asked.take().unwrap();
    }

    fn all(&self) -> Vec<(String, Known)> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(name, known)| (name.clone(), *known))
            .collect()
    }

    /// What a name turned out to be after a restart.
    fn settles(&self, name: &str, state: State) {
        self.0.lock().unwrap().insert(
            name.into(),
            Known {
                acknowledged: state,
                asked: None,
            },
        );
    }
}

fn body(state: (u64, usize)) -> Bytes {
    bytes_of(state.0, state.1)
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

/// Puts, replaces and deletes under names of its own until a call fails.
async fn write(caller: Caller, history: History, who: u64, mut rng: Rng, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        let name = format!("w{who}/{}", rng.below(8));
        let state = (rng.below(5) > 0).then(|| (rng.next(), 1000 + rng.below(1_500_000) as usize));
        history.asks(&name, state);
        let method = if state.is_some() {
            Method::PUT
        } else {
            Method::DELETE
        };
        let bytes = state.map(body).unwrap_or_default();
        let reply = caller.call(method, &App::path("l", &name), bytes).await;
        match reply.status {
            200..=204 | 404 => history.acknowledges(&name),
            0 => return,
            other => panic!("{name}: {other} {}", reply.text()),
        }
    }
}

/// Reads through the remote until a call fails; whatever is complete must be right.
async fn fill(caller: Caller, mut rng: Rng, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        let number = rng.below(OBJECTS);
        let reply = caller
            .call(Method::GET, &App::path("g", &format!("m{number}")), Bytes::new())
            .await;
        if !reply.complete() {
            return;
        }
        assert!(reply.body == remote_body(number), "m{number}");
    }
}

fn remote_body(number: u64) -> Bytes {
    bytes_of(1_000_000 + number, 1000 + (number as usize) * 50_000)
}

/// One round: work, a kill at a random moment, a restart, an audit.
async fn round(app: &mut App, history: &History, rng: &mut Rng) {
    let stop = Arc::new(AtomicBool::new(false));
    let caller = Caller::of(app);
    let mut work: Vec<tokio::task::JoinHandle<()>> = Vec::new();
    for who in 0..WRITERS {
        let (caller, history) = (caller.clone(), history.clone());
        work.push(tokio::spawn(write(
            caller,
            history,
            who,
            Rng::new(rng.next()),
            Arc::clone(&stop),
        )));
    }
    for _ in 0..FILLS {
        work.push(tokio::spawn(fill(
            caller.clone(),
            Rng::new(rng.next()),
            Arc::clone(&stop),
        )));
    }
    tokio::time::sleep(Duration::from_millis(30 + rng.below(500))).await;
    app.kill();
    stop.store(true, Ordering::SeqCst);
    for task in work {
        task.await.expect("no writer saw a wrong answer");
    }
    let alone = app.fsck(&["--rehash"]);
    assert_eq!(alone.code, Some(0), "before the restart: {}", alone.output);
    app.restart().await;
    audit(app, history).await;
    assert_eq!(
        leftovers(app.data()),
        Vec::<std::path::PathBuf>::new(),
        "temporary files"
    );
    let beside = app.fsck(&["--rehash"]);
    assert_eq!(beside.code, Some(0), "after the restart: {}", beside.output);
}

async fn audit(app: &App, history: &History) {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_kill_at_any_moment() {
    let mut rng = Rng::printed("crash");
    let upstream = Upstream::start();
    for number in 0..OBJECTS {
        let framing = if number.is_multiple_of(2) {
            Framing::Length
        } else {
            Framing::Chunked
        };
        upstream.set(
            &format!("/m{number}"),
            Script::new(remote_body(number)).framing(framing),
        );
    }
    let mut app = App::start().await;
    app.create_local("l", "generic", json!({})).await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let history = History::default();
    for _ in 0..ROUNDS {
        round(&mut app, &history, &mut rng).await;
    }
    let names = history.all().len();
    println!(
        "crash: {ROUNDS} kills, {names} names audited after each, {} objects filled",
        app.objects("g").await.len()
    );
    assert!(names > 0);
}
