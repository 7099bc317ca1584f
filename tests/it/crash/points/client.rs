//! A client that takes "not now" (503) for an answer and asks again. How busy the machine is must not matter here.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::python::JSON;
use crate::support::{PATIENCE, eventually};

/// The first answer that is another than "not now"; none (status 0) where the program is dead.
async fn patient<F: Future<Output = Reply>>(request: impl Fn() -> F) -> Reply {
    let end = Instant::now() + PATIENCE;
    loop {
        let reply = request().await;
        if reply.status != 503 || Instant::now() > end {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(super) async fn read(app: &App, repo: &str, path: &str) -> Reply {
    patient(|| app.read(repo, path)).await
}

/// The index page of the project `demo`.
pub(super) async fn page(app: &App) -> Reply {
    patient(|| app.read_with("p", "simple/demo/", &[("accept", JSON)])).await
}

pub(super) async fn put(app: &App, repo: &str, path: &str, body: &Bytes) -> Reply {
    patient(|| app.put(repo, path, body.clone())).await
}

pub(super) async fn delete(app: &App, repo: &str, path: &str) -> Reply {
    patient(|| app.delete(repo, path)).await
}

/// A call of the admin API, below `/api/v2/`.
pub(super) async fn admin(app: &App, method: Method, path: &str, body: &Value) -> Reply {
    let path = format!("/api/v2/{path}");
    patient(|| app.admin(method.clone(), &path, body.clone())).await
}

/// What a listing of the admin API holds.
pub(super) async fn items(app: &App, path: &str) -> Vec<Value> {
    let reply = admin(app, Method::GET, path, &Value::Null).await;
    let listing = reply.expect(200).json();
    let items = listing.as_array().or_else(|| listing["items"].as_array());
    items.unwrap_or_else(|| panic!("{path}: {listing}")).clone()
}

/// Asks for an object of a remote until it is stored: a busy server may have kept an answer from being stored.
pub(super) async fn stored<F>(app: &App, (remote, path): (&str, &str), ask: impl Fn() -> F)
where
    F: Future<Output = bool>,
{
    let listing = format!("remotes/{remote}/objects?limit=1000");
    eventually(&format!("{path} stored"), || async {
        assert!(ask().await, "{path}");
        let objects = items(app, &listing).await;
        objects.iter().any(|object| object["path"] == path).then_some(())
    })
    .await;
}
