//! The operations: what is there before, what the client or the administrator does, and whether that was acknowledged.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{admin, delete, page, put, read, stored};
use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::client::Reply;
use crate::support::python::{self, File};
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

/// Of a PUT, and of one that is repeated.
const WRITTEN: &[u16] = &[200, 201];
/// Of a DELETE, and of one that is repeated.
const DELETED: &[u16] = &[204, 404];
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
        let base = upstream.url();
        for (kind, settings) in [
            (
                "remotes",
                json!({"name": "g", "package_type": "generic", "base_url": base, "username": "u", "password": "p"}),
            ),
            (
                "remotes",
                json!({"name": "p", "package_type": "pypi", "base_url": base, "mutable_ttl": 1}),
            ),
            ("locals", json!({"name": "l", "package_type": "generic"})),
            ("locals", json!({"name": "k", "package_type": "generic"})),
        ] {
            // Taken (409) where an earlier try came through and its answer did not.
            assert!(said(
                &admin(app, Method::POST, kind, &settings).await,
                &[201, 409]
            ));
        }
        assert!(said(&put(app, "k", "kept", &kept()).await, WRITTEN));
        match self {
            Self::Hit | Self::Evict | Self::Change | Self::Lost => {
                stored(app, ("g", "big"), || Self::Fill.act(app)).await;
            }
            Self::File | Self::Confirm | Self::Withdraw => {
                stored(app, ("p", "simple/demo/"), || Self::Index.act(app)).await;
            }
            Self::Replace | Self::Delete | Self::Remove | Self::Collect => {
                assert!(said(&put(app, "l", "a", &other()).await, WRITTEN));
            }
            _ => {}
        }
        self.upset(app, upstream).await;
    }

    /// Whether what was acknowledged long before is there.
    pub(super) async fn keeps(app: &App) -> bool {
        bytes(&read(app, "k", "kept").await, &kept())
    }

    /// What happens between the preparation and the operation, behind the program's back.
    async fn upset(self, app: &App, upstream: &Upstream) {
        match self {
            Self::Collect => assert!(said(&delete(app, "l", "a").await, DELETED)),
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
            Self::Fill | Self::Hit | Self::Lost => bytes(&read(app, "g", "big").await, &big()),
            Self::Index | Self::Confirm => said(&page(app).await, &[200]),
            Self::File => bytes(&read(app, "p", &format!("packages/demo/{WHEEL}")).await, &other()),
            Self::Withdraw => said(&page(app).await, &[404]),
            Self::Absent => said(&read(app, "g", "nothing").await, &[404]),
            Self::Put => said(&put(app, "l", "new", &other()).await, WRITTEN),
            Self::Replace => said(&put(app, "l", "a", &bytes_of(3, 500_000)).await, WRITTEN),
            Self::Again => said(&put(app, "l", "b", &kept()).await, WRITTEN),
            Self::Delete => said(&delete(app, "l", "a").await, DELETED),
            _ => said(&self.administer(app).await, &[200, 201, 204, 404, 409]),
        }
    }

    async fn administer(self, app: &App) -> Reply {
        let (method, path, body) = match self {
            Self::Evict => (Method::DELETE, "remotes/g/objects?path=big", Value::Null),
            Self::Collect => (Method::POST, "gc", json!({"grace_seconds": 0})),
            Self::Create => {
                let new = json!({"name": "n", "package_type": "generic"});
                (Method::POST, "locals", new)
            }
            Self::Change => {
                let elsewhere = json!({"base_url": "http://127.0.0.1:9/elsewhere"});
                (Method::PATCH, "remotes/g", elsewhere)
            }
            Self::Remove => (Method::DELETE, "locals/l", Value::Null),
            _ => (Method::POST, "secrets/rotate", Value::Null),
        };
        admin(app, method, path, &body).await
    }
}

/// Whether the whole answer came and has one of these statuses. Any other answer is wrong.
fn said(reply: &Reply, statuses: &[u16]) -> bool {
    let fits = statuses.contains(&reply.status);
    assert!(fits || reply.status == 0, "{} {}", reply.status, reply.text());
    fits && reply.whole
}

/// Whether all of these bytes came. Other ones are wrong.
fn bytes(reply: &Reply, expected: &[u8]) -> bool {
    assert!(
        [0, 200].contains(&reply.status),
        "{} {}",
        reply.status,
        reply.text()
    );
    assert!(expected.starts_with(&reply.body), "other bytes");
    reply.complete() && reply.body.len() == expected.len()
}
