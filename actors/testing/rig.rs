//! The whole crew on real threads, over real embedded stores, a scripted upstream and scripted landings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::port::upstream::{Coding, Credentials, Method, Origin, Request};
use artifactapi_core::{Clock, Digest, Headers, RepoId, Repository};
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::hot::memory::Memory;
use artifactapi_store::spool::Spools;
use artifactapi_store::vault::{KEY_FILE, Vault};
use tempfile::TempDir;

use super::hot::Common;
use super::landing::{self, Script};
use super::upstream::Scripted;
use super::{GaveUp, ManualClock, eventually, soon};
use crate::flight::{FetchOrder, Ticket};
use crate::gc::GcSettings;
use crate::handles::{Evicted, Handles, Listing, Renewal};
use crate::root::{Deps, Root, Settings};

/// Micros since the epoch at which a rig's clock begins: later than any file of a test's real clock.
pub(crate) const NOON: i64 = 4_000_000_000_000_000;
/// How many channels a replica listens to.
const CHANNELS: usize = 3;

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
    /// How often it was told to read anew what is in memory.
    pub(crate) renewals: Arc<AtomicUsize>,
    pub(crate) dir: TempDir,
    root: Root,
}

/// In what rigs differ.
pub(crate) struct Lot {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) hot: Arc<dyn Hot>,
    pub(crate) replica: &'static str,
    /// How often the collector runs by itself.
    pub(crate) interval: Duration,
}

impl Lot {
    /// One process alone.
    pub(crate) fn alone() -> Self {
        let clock = ManualClock::at(NOON);
        Self {
            hot: Arc::new(Memory::new(Arc::clone(&clock) as Arc<dyn Clock>)),
            clock,
            replica: "alone",
            interval: Duration::ZERO,
        }
    }

    /// One of several replicas.
    pub(crate) fn replica(clock: &Arc<ManualClock>, hot: &Arc<Common>, replica: &'static str) -> Self {
        Self {
            clock: Arc::clone(clock),
            hot: Arc::clone(hot) as Arc<dyn Hot>,
            replica,
            interval: Duration::ZERO,
        }
    }
}

pub(crate) async fn rig() -> Rig {
    rig_of(Lot::alone()).await
}

/// A rig whose collector runs by itself every so often.
pub(crate) async fn rig_with(interval: Duration) -> Rig {
    let lot = Lot {
        interval,
        ..Lot::alone()
    };
    rig_of(lot).await
}

/// Two replicas that share clock and hints, once both listen.
pub(crate) async fn two() -> (Rig, Rig, Arc<Common>) {
    let clock = ManualClock::at(NOON);
    let hot = Common::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let here = rig_of(Lot::replica(&clock, &hot, "here")).await;
    let there = rig_of(Lot::replica(&clock, &hot, "there")).await;
    eventually(|| hot.ears() == 2 * CHANNELS).await;
    (here, there, hot)
}

/// A rig of its lot.
pub(crate) async fn rig_of(lot: Lot) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::clone(&lot.clock);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let file = dir.path().join("catalog.sqlite");
    let vault = Vault::own(&dir.path().join(KEY_FILE)).unwrap();
    let catalog = Sqlite::open_with(&file, Arc::clone(&shared), Arc::new(vault)).await;
    let catalog = Arc::new(catalog.unwrap());
    let blobs: Arc<dyn Blobs> = Arc::new(Folder::open(dir.path().join("blobs")).unwrap());
    let (upstream, noted) = (Arc::new(Scripted::default()), Noted::default());
    let deps = Deps {
        clock: shared,
        catalog: catalog.clone(),
        hot: lot.hot,
        replica: lot.replica.to_owned(),
        blobs: Arc::clone(&blobs),
        upstream: upstream.clone(),
        spools: Arc::new(Spools::new(dir.path().join("spool"))),
        settings: settings(lot.interval, &noted.gave_up),
        evicted: noted.evictions(),
        repositories: noted.listing(),
        renew: noted.renewal(),
    };
    let (root, handles) = Root::start(deps).await.unwrap();
    Rig {
        handles,
        upstream,
        script: Script::new(),
        clock,
        catalog,
        blobs,
        repositories: noted.repositories,
        evicted: noted.evicted,
        gave_up: noted.gave_up,
        renewals: noted.renewals,
        dir,
        root,
    }
}

/// What the workers tell and ask.
#[derive(Default)]
struct Noted {
    repositories: Arc<Mutex<Vec<Arc<Repository>>>>,
    evicted: Arc<Mutex<Vec<String>>>,
    gave_up: GaveUp,
    renewals: Arc<AtomicUsize>,
}

impl Noted {
    fn evictions(&self) -> Evicted {
        let noted = Arc::clone(&self.evicted);
        Arc::new(move |entries| {
            let paths = entries.iter().map(|entry| entry.id.key.to_string());
            noted.lock().unwrap().extend(paths);
        })
    }

    fn listing(&self) -> Listing {
        let repositories = Arc::clone(&self.repositories);
        Arc::new(move || repositories.lock().unwrap().clone())
    }

    fn renewal(&self) -> Renewal {
        let renewals = Arc::clone(&self.renewals);
        Arc::new(move || {
            renewals.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        })
    }
}

fn settings(interval: Duration, gave_up: &GaveUp) -> Settings {
    let gave_up = Arc::clone(gave_up);
    Settings {
        gc: GcSettings {
            interval,
            ..GcSettings::default()
        },
        on_give_up: Arc::new(move |name| gave_up.lock().unwrap().push(name.to_owned())),
        ..Settings::default()
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
