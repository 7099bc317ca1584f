//! Keys change while requests run: nobody notices, and the earlier key may go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{CANARY, Keys, basic, holds, kept, ran};
use crate::support::app::App;
use crate::support::eventually;
use crate::support::parts::Parts;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

/// Rotates the keys of a program; how many secrets were sealed anew, were so before, and stayed as they were.
async fn rotate(app: &App) -> [u64; 3] {
    let answer = app
        .admin(Method::POST, "/api/v2/secrets/rotate", Value::Null)
        .await;
    let answer = answer.expect(200).json();
    ["resealed", "already", "failed"].map(|name| answer[name].as_u64().unwrap())
}

/// Asks for one new object after the other until it is told that it is enough; counts them.
struct Requests {
    answered: AtomicUsize,
    enough: AtomicBool,
}

impl Requests {
    fn new() -> Self {
        Self {
            answered: AtomicUsize::new(0),
            enough: AtomicBool::new(false),
        }
    }

    async fn run(&self, app: &App, upstream: &Upstream) {
        while !self.enough.load(Ordering::SeqCst) {
            let path = format!("f{}", self.answered.load(Ordering::SeqCst));
            upstream.set(&format!("/{path}"), Script::new(path.clone()));
            app.read("g", &path).await.expect_bytes(path.as_bytes());
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits for one that begins from now on to be answered.
    async fn another(&self) {
        let before = self.answered.load(Ordering::SeqCst);
        eventually("requests go on", || async {
            (self.answered.load(Ordering::SeqCst) > before + 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn keys_change_while_requests_run() {
    let keys = Keys::new(&[1]);
    let mut app = keys.start().await;
    let upstream = Upstream::start();
    let password = format!("{CANARY}-password");
    let settings = json!({"username": "u", "password": password});
    app.create_remote("g", "generic", &upstream.url(), settings).await;
    let requests = Requests::new();
    let rotations = async {
        for round in 1..=10_u8 {
            keys.write(&[round, round + 1]);
            keys.write(&[round + 1, round]);
            assert_eq!(rotate(&app).await, [1, 0, 0]);
            requests.another().await;
            // A change of settings meanwhile is no matter, nor is it undone.
            let text = json!({"description": format!("round {round}")});
            let changed = app.admin(Method::PATCH, "/api/v2/remotes/g", text).await;
            changed.expect(200);
        }
        requests.enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(requests.run(&app, &upstream), rotations);
    let remote = app.admin(Method::GET, "/api/v2/remotes/g", Value::Null).await;
    let said = remote.json()["description"].clone();
    assert_eq!((remote.header("etag"), said), ("\"11\"", json!("round 10")));
    assert!(upstream.all().len() >= 20, "{} requests", upstream.all().len());
    // The first key has gone long since; the last one alone is enough for a new start.
    keys.write(&[11]);
    assert_eq!(app.stop(), Some(0));
    app.restart().await;
    upstream.set("/last", Script::new("last"));
    app.read("g", "last").await.expect_bytes(b"last");
    for hit in upstream.all() {
        let sent = hit.request.header("authorization");
        assert_eq!(sent, Some(&*basic("u", &password)), "{}", hit.request.target);
    }
    assert!(!holds(&kept(&app).await, CANARY));
}

#[tokio::test]
async fn the_command_says_what_a_rotation_did() {
    let keys = Keys::new(&[1]);
    let mut app = keys.start().await;
    let settings = json!({"username": "u", "password": CANARY});
    app.create_remote("g", "generic", "http://up.example/", settings)
        .await;
    keys.write(&[2, 1]);
    let (code, said) = ran(&app, &keys, &["rotate-secrets"]);
    assert_eq!(code, Some(0), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["resealed"], &report["failed"]), (&json!(1), &json!(0)));
    let unknown = app
        .request(Method::POST, "/api/v2/secrets/rotate")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 401);
    keys.write(&[]);
    let (code, said) = ran(&app, &keys, &["rotate-secrets"]);
    assert!(code == Some(1) && said.contains("holds no key"), "{said}");
    // Keys of the environment are those of the start.
    keys.write(&[2]);
    assert_eq!(app.stop(), Some(0));
    app.set_env("ARTIFACTAPI_SECRET_KEY_FILE", None);
    app.set_env("ARTIFACTAPI_SECRET_KEY", Some(&STANDARD.encode([2; 32])));
    app.restart().await;
    let answer = app
        .admin(Method::POST, "/api/v2/secrets/rotate", Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&answer["reread"], &answer["already"]),
        (&json!(false), &json!(1))
    );
}

#[tokio::test]
async fn a_replica_takes_up_the_key_that_another_one_seals_with() {
    let keys = Keys::new(&[1]);
    let upstream = Upstream::start();
    let one = keys.setup().on(Parts::ALL).start().await;
    let two = one.replica().await;
    let settings = json!({"username": "u", "password": "earlier"});
    one.create_remote("g", "generic", &upstream.url(), settings).await;
    keys.write(&[1, 2]);
    keys.write(&[2, 1]);
    assert_eq!(rotate(&one).await, [1, 0, 0]);
    // What the other one reads from now on is sealed with a key that it did not know when it started.
    let changed = json!({"password": "later"});
    one.admin(Method::PATCH, "/api/v2/remotes/g", changed)
        .await
        .expect(200);
    let asked = AtomicUsize::new(0);
    eventually("the other replica sends the new password", || async {
        let path = format!("/f{}", asked.fetch_add(1, Ordering::SeqCst));
        upstream.set(&path, Script::new("x"));
        two.read("g", &path).await;
        let hit = upstream.hits(&path).pop()?;
        (hit.request.header("authorization") == Some(&*basic("u", "later"))).then_some(())
    })
    .await;
    // What it seals itself needs the earlier key no more, either.
    let text = json!({"description": "changed"});
    two.admin(Method::PATCH, "/api/v2/remotes/g", text)
        .await
        .expect(200);
    assert_eq!(rotate(&one).await, [0, 1, 0]);
}
