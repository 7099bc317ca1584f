//! The whole crew on real threads, over real embedded stores, a scripted upstream and scripted landings.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::upstream::{Coding, Credentials, Method, Origin, Request};
use artifactapi_core::{Clock, Digest, Headers, RepoId, Repository};
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::spool::Spools;
use artifactapi_store::vault::{KEY_FILE, Vault};
use tempfile::TempDir;

use super::landing::{self, Script};
use super::upstream::Scripted;
use super::{GaveUp, ManualClock, soon};
use crate::flight::{FetchOrder, Ticket};
use crate::gc::GcSettings;
use crate::handles::Handles;
use crate::root::{Deps, Root, Settings};

/// Micros since the epoch at which a rig's clock begins: later than any file of a test's real clock.
pub(crate) const NOON: i64 = 4_000_000_000_000_000;

pub(crate) struct Rig {
    pub(crate) handles: Handles,
    pub(crate) upstream: Arc<Scripted>,
    pub(crate) script: Arc<Script>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) catalog: Arc<Sqlite>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) repositories: Arc<Mutex<Vec<Arc<Repository>>>>,
    /// Paths that the collector said it evicted.
    pub(crate) evicted: Arc<Mutex<Vec<String>>>,
    pub(crate) gave_up: GaveUp,
    pub(crate) dir: TempDir,
    root: Root,
}

pub(crate) async fn rig() -> Rig {
    rig_with(Duration::ZERO).await
}

/// A rig whose collector runs by itself every so often.
pub(crate) async fn rig_with(interval: Duration) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOON);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let file = dir.path().join("catalog.sqlite");
    let vault = Vault::own(&dir.path().join(KEY_FILE)).unwrap();
    let catalog = Sqlite::open_with(&file, Arc::clone(&shared), Arc::new(vault)).await;
    let catalog = Arc::new(catalog.unwrap());
    let blobs: Arc<dyn Blobs> = Arc::new(Folder::open(dir.path().join("blobs")).unwrap());
    let (upstream, script) = (Arc::new(Scripted::default()), Script::new());
    let (gave_up, noted) = (GaveUp::default(), GaveUp::default());
    let repositories: Arc<Mutex<Vec<Arc<Repository>>>> = Arc::default();
    let deps = Deps {
        clock: shared,
        catalog: catalog.clone(),
        hot: Arc::clone(&lot.hot),
        replica: lot.replica.to_owned(),
        blobs: Arc::clone(&blobs),
        upstream: upstream.clone(),
        spools: Arc::new(Spools::new(dir.path().join("spool"))),
        settings: Settings {
            gc: GcSettings {
                interval,
                ..GcSettings::default()
            },
            on_give_up: {
                let gave_up = Arc::clone(&gave_up);
                Arc::new(move |name| gave_up.lock().unwrap().push(name.to_owned()))
            },
            ..Settings::default()
        },
        evicted: {
            let noted = Arc::clone(&noted);
            Arc::new(move |entries| {
                let paths = entries.iter().map(|entry| entry.id.key.to_string());
                noted.lock().unwrap().extend(paths);
            })
        },
        repositories: {
            let repositories = Arc::clone(&repositories);
            Arc::new(move || repositories.lock().unwrap().clone())
        },
    };
    let (root, handles) = Root::start(deps).await.unwrap();
    Rig {
        handles,
        upstream,
        script,
        clock,
        catalog,
        blobs,
        repositories,
        evicted: noted,
        gave_up,
        dir,
        root,
    }
}

impl Rig {
    pub(crate) fn order(&self, key: &str) -> FetchOrder {
        let repo = RepoId(uuid::Uuid::from_u128(7));
        FetchOrder {
            key: key.to_owned(),
            repo,
            repo_name: "r".into(),
            path: key.to_owned(),
            request: request(repo),
            digests: Vec::new(),
            size: None,
            landing: Box::new(landing::Scripted {
                script: Arc::clone(&self.script),
                path: key.to_owned(),
            }),
        }
    }

    pub(crate) async fn join(&self, key: &str) -> Ticket {
        let joined = self.handles.flights.join(key, || self.order(key)).await;
        joined.unwrap()
    }

    /// Joins with something known of the bytes.
    pub(crate) async fn join_knowing(&self, key: &str, digest: Option<&str>, size: Option<u64>) -> Ticket {
        let digests: Vec<Digest> = digest.iter().map(|digest| digest.parse().unwrap()).collect();
        let order = || FetchOrder {
            digests: digests.clone(),
            size,
            ..self.order(key)
        };
        self.handles.flights.join(key, order).await.unwrap()
    }

    /// Stops all threads; nothing may be in the air any more.
    pub(crate) async fn stop(self) {
        soon(async {
            while self.handles.flights.in_flight() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        self.root.stop(Duration::from_secs(20)).await;
    }

    /// Stops whatever is in the air.
    pub(crate) async fn stop_within(self, limit: Duration) {
        self.root.stop(limit).await;
    }
}

fn request(repo: RepoId) -> Request {
    let url: url::Url = "http://up.example/x".parse().unwrap();
    Request {
        origin: Arc::new(Origin {
            repo,
            revision: 1,
            roots: vec![url.clone()],
            credentials: Credentials::Anonymous,
            mirrors: Vec::new(),
            allow_networks: Vec::new(),
            egress_proxy: None,
            ca_bundle: None,
        }),
        method: Method::Get,
        urls: vec![url],
        headers: Headers::new(),
        coding: Coding::Identity,
        digest_known: false,
        limit: 0,
    }
}
