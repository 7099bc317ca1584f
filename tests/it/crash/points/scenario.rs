//! The operations: what is there before, what the client or the administrator does, and whether that was acknowledged.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::Reply;
use crate::support::python::{self, File, JSON};
use crate::support::script::Script;
use crate::support::store::Store;
use crate::support::upstream::Upstream;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// The first start on empty stores.
    Start,
    /// A cold miss of a remote.
    Fill,
    /// A cold miss of an index.
    Index,
    /// A cold miss of a file that an index describes.
    File,
    /// A hit on what is cached.
    Hit,
    /// A stale copy that upstream confirms.
    Confirm,
    /// A stale copy that upstream does not have any more.
    Withdraw,
    /// A name that upstream does not have.
    Absent,
    /// A hit on what the blob store has lost.
    Lost,
    /// A new object of a local.
    Put,
    /// Other bytes under a name of a local.
    Replace,
    /// The same bytes under another name of a local.
    Again,
    /// The end of an object of a local.
    Delete,
    /// The end of a cached object.
    Evict,
    /// A collection with something to collect.
    Collect,
    /// A new repository.
    Create,
    /// Another upstream for a remote, whose copies go.
    Change,
    /// The end of a repository with its objects.
    Remove,
    /// Every secret sealed anew.
    Rotate,
}

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

fn big() -> Bytes {
    bytes_of(1, 700_000)
}

fn kept() -> Bytes {
    bytes_of(9, 100_000)
}

fn other() -> Bytes {
    bytes_of(2, 300_000)
}

impl Scenario {
    /// All of them.
    pub(super) const ALL: [Self; 19] = [
        Self::Start,
        Self::Fill,
        Self::Index,
        Self::File,
        Self::Hit,
        Self::Confirm,
        Self::Withdraw,
        Self::Absent,
        Self::Lost,
        Self::Put,
        Self::Replace,
        Self::Again,
        Self::Delete,
        Self::Evict,
        Self::Collect,
        Self::Create,
        Self::Change,
        Self::Remove,
        Self::Rotate,
    ];

    /// One word for it.
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether its acknowledgement promises that the store has changed.
    pub(super) fn is_binding(self) -> bool {
        let writes = [
            Self::Put,
            Self::Replace,
            Self::Again,
            Self::Delete,
            Self::Evict,
            Self::Create,
            Self::Change,
            Self::Remove,
        ];
        writes.contains(&self)
    }

    /// Whether the store is damaged on purpose before it.
    pub(super) fn is_damage(self) -> bool {
        self == Self::Lost
    }

    /// What is there before. Everything in it is acknowledged.
    pub(super) async fn prepare(self, app: &App, upstream: &Upstream) {
        upstream.set("/big", Script::new(big()));
        // The URL is relative, so that the page has the same bytes wherever its server is.
        let file = File::new(WHEEL, &format!("../../files/{WHEEL}"), &other());
        upstream.set("/simple/demo/", python::json_page("demo", &[file]).etag("v1"));
        upstream.set(&format!("/files/{WHEEL}"), Script::new(other()));
        app.create_remote(
            "g",
            "generic",
            &upstream.url(),
            json!({"username": "u", "password": "p"}),
        )
        .await;
        app.create_remote("p", "pypi", &upstream.url(), json!({"mutable_ttl": 1}))
            .await;
        app.create_local("l", "generic", json!({})).await;
        app.create_local("k", "generic", json!({})).await;
        app.put("k", "kept", kept()).await.expect(201);
        match self {
            Self::Hit | Self::Evict | Self::Change | Self::Lost => {
                app.read("g", "big").await.expect_bytes(&big());
                app.stored("g", "big").await;
            }
            Self::File | Self::Confirm | Self::Withdraw => {
                page(app).await.expect(200);
                app.stored("p", "simple/demo/").await;
            }
            Self::Replace | Self::Delete | Self::Remove => drop(app.put("l", "a", other()).await.expect(201)),
            Self::Collect => {
                app.put("l", "a", other()).await.expect(201);
                app.delete("l", "a").await.expect(204);
            }
            _ => {}
        }
        self.upset(app, upstream).await;
    }

    /// Whether what was acknowledged long before is there.
    pub(super) async fn keeps(app: &App) -> bool {
        bytes(app.read("k", "kept").await, &kept())
    }

    /// What happens between the preparation and the operation, behind the program's back.
    async fn upset(self, app: &App, upstream: &Upstream) {
        match self {
            Self::Confirm => tokio::time::sleep(Duration::from_millis(1100)).await,
            Self::Withdraw => {
                upstream.set("/simple/demo/", Script::status(404));
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            Self::Lost => {
                let mut store = Store::open(app).await;
                let object = store.object("big").await;
                store.remove(&object).await;
                store.close().await;
            }
            _ => {}
        }
    }

    /// Carries it out; whether it was acknowledged. May be carried out again.
    pub(super) async fn act(self, app: &App) -> bool {
        match self {
            Self::Start => true,
            Self::Fill | Self::Hit => bytes(app.read("g", "big").await, &big()),
            Self::Index | Self::Confirm => said(&page(app).await, &[200]),
            Self::File => bytes(app.read("p", &format!("packages/demo/{WHEEL}")).await, &other()),
            Self::Withdraw => said(&page(app).await, &[404]),
            Self::Absent => said(&app.read("g", "nothing").await, &[404]),
            Self::Lost => found(app).await,
            Self::Put => said(&app.put("l", "new", other()).await, &[200, 201]),
            Self::Replace => said(&app.put("l", "a", bytes_of(3, 500_000)).await, &[200]),
            Self::Again => said(&app.put("l", "b", kept()).await, &[200, 201]),
            Self::Delete => said(&app.delete("l", "a").await, &[204, 404]),
            _ => said(&self.administer(app).await, &[200, 201, 204, 404, 409]),
        }
    }

    async fn administer(self, app: &App) -> Reply {
        let (method, path, body) = match self {
            Self::Evict => (Method::DELETE, "remotes/g/objects?path=big", Value::Null),
            Self::Collect => (Method::POST, "gc", json!({"grace_seconds": 0})),
            Self::Create => (
                Method::POST,
                "locals",
                json!({"name": "n", "package_type": "generic"}),
            ),
            Self::Change => {
                let elsewhere = json!({"base_url": "http://127.0.0.1:9/elsewhere"});
                (Method::PATCH, "remotes/g", elsewhere)
            }
            Self::Remove => (Method::DELETE, "locals/l", Value::Null),
            _ => (Method::POST, "secrets/rotate", Value::Null),
        };
        app.admin(method, &format!("/api/v2/{path}"), body).await
    }
}

async fn page(app: &App) -> Reply {
    app.read_with("p", "simple/demo/", &[("accept", JSON)]).await
}

/// Whether the whole answer came and has one of these statuses. Any other answer is wrong.
fn said(reply: &Reply, statuses: &[u16]) -> bool {
    let fits = statuses.contains(&reply.status);
    assert!(fits || reply.status == 0, "{} {}", reply.status, reply.text());
    fits && reply.whole
}

/// Whether all of these bytes came. Other ones are wrong.
fn bytes(reply: Reply, expected: &[u8]) -> bool {
    assert!(
        [0, 200].contains(&reply.status),
        "{} {}",
        reply.status,
        reply.text()
    );
    assert!(expected.starts_with(&reply.body), "other bytes");
    reply.complete() && reply.body.len() == expected.len()
}

/// Asks for what was lost as a patient client does.
async fn found(app: &App) -> bool {
    loop {
        let reply = app.read("g", "big").await;
        match reply.status {
            503 => tokio::time::sleep(Duration::from_millis(200)).await,
            _ => return bytes(reply, &big()),
        }
    }
}
