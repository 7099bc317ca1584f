//! Replicas as engines of their own over one catalog and one folder of objects, with an upstream each.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifactapi_actors::handles::Renewal;
use artifactapi_actors::root::{self, Deps, Root, Settings};
use artifactapi_core::clock::SystemClock;
use artifactapi_core::config::Cache;
use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::plan::{Class, Integrity, Want};
use artifactapi_core::port::blobs::Blobs as _;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::{Hearing, Hot};
use artifactapi_core::port::upstream::{Answer, Head, Request, Upstream};
use artifactapi_core::repository::{RemoteSettings, Repository, Role};
use artifactapi_core::{Clock, Digest, Fault, Headers, Key, RepoId, Time};
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::hot::memory::Memory;
use artifactapi_store::memo::Memos;
use artifactapi_store::spool::Spools;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::fetching::Quest;
use crate::obtain::{Document, Wish};
use crate::{Engine, Hooks, Parts, Shared};

/// Runs a test where actors can be started.
pub(super) fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

/// Waits until something holds; fails after a time that no healthy run needs.
pub(super) async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, wait).await.expect("it came in time");
}

/// Hints of one process that pass for shared ones.
struct Common {
    memory: Memory,
    listened: AtomicUsize,
}

#[async_trait]
impl Hot for Common {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.memory.get(key).await
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Fault> {
        self.memory.set(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.memory.delete(key).await
    }

    async fn acquire(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Fault> {
        self.memory.acquire(key, owner, ttl).await
    }

    async fn release(&self, key: &str, owner: &str) -> Result<(), Fault> {
        self.memory.release(key, owner).await
    }

    async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Fault> {
        self.memory.publish(channel, message).await
    }

    async fn listen(&self, channel: &str) -> Result<Hearing, Fault> {
        let hearing = self.memory.listen(channel).await;
        self.listened.fetch_add(1, Ordering::SeqCst);
        hearing
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn kind(&self) -> &'static str {
        "common"
    }
}

/// An upstream that answers in turn, each answer when it is let go.
#[derive(Default)]
pub(super) struct Held {
    asked: AtomicUsize,
    answers: Mutex<VecDeque<(u16, String, Arc<Semaphore>)>>,
}

impl Held {
    /// The next request is answered so, at once.
    pub(super) fn says(&self, status: u16, body: &str) {
        self.holds(status, body).add_permits(1);
    }

    /// The next request is answered so, when the gate has a permit.
    pub(super) fn holds(&self, status: u16, body: &str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        let answer = (status, body.to_owned(), Arc::clone(&gate));
        self.answers.lock().unwrap().push_back(answer);
        gate
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Upstream for Held {
    async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let next = self.answers.lock().unwrap().pop_front();
        let (status, body, gate) = next.expect("an answer for every request");
        self.asked.fetch_add(1, Ordering::SeqCst);
        gate.acquire().await.unwrap().forget();
        let head = Head {
            status,
            headers: Headers::from_iter([("etag", format!("\"{body}\""))]),
            url: request.urls[0].clone(),
            length: Some(body.len() as u64),
            framed: true,
        };
        let body = Box::pin(stream::iter([Ok(Bytes::from(body))]));
        Ok(Answer { head, body })
    }
}

/// What replicas share: one remote `r`, all of whose documents are mutable.
pub(super) struct World {
    dir: TempDir,
    file: Sqlite,
    pub(super) catalog: Arc<dyn Catalog>,
    blobs: Arc<Folder>,
    pub(super) repository: Repository,
}

impl World {
    pub(super) async fn new(mutable_ttl: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = Sqlite::open(&dir.path().join("catalog.sqlite")).await.unwrap();
        let mut settings = RemoteSettings::new("http://up.example/".parse().unwrap());
        settings.mutable_patterns = vec![".".into()];
        settings.mutable_ttl = Some(mutable_ttl);
        let repository = Repository {
            id: RepoId(uuid::Uuid::now_v7()),
            name: "r".into(),
            package_type: "generic".into(),
            role: Role::Remote(Box::new(settings)),
            revision: 1,
            created_at: Time(0),
            updated_at: Time(0),
        };
        let catalog: Arc<dyn Catalog> = Arc::new(file.clone());
        catalog.create_repository(&repository).await.unwrap();
        Self {
            blobs: Arc::new(Folder::open(dir.path().join("blobs")).unwrap()),
            file,
            catalog,
            repository,
            dir,
        }
    }

    /// The catalog is away from now on.
    pub(super) async fn lose_catalog(&self) {
        self.file.close().await;
    }

    pub(super) fn id(&self) -> EntryKey {
        EntryKey::new(self.repository.id, Key::new("doc").unwrap())
    }

    /// The row, as the catalog has it.
    pub(super) async fn stored(&self) -> Option<Entry> {
        self.catalog.entry(&self.id()).await.unwrap()
    }

    /// An entry and its object are gone, and nobody is told.
    pub(super) async fn remove(&self, entry: &Entry) {
        let gone = [(entry.id.clone(), None)];
        self.catalog.remove(&gone, false).await.unwrap();
        assert!(self.blobs.delete(&entry.object).await.unwrap());
    }

    /// How many objects there are.
    pub(super) async fn objects(&self) -> usize {
        self.blobs.list("blobs/", None, 100).await.unwrap().len()
    }

    /// Two replicas that hear each other.
    pub(super) async fn two_that_hear(&self) -> (Replica, Replica) {
        let hot = Arc::new(Common {
            memory: Memory::new(SystemClock::shared()),
            listened: AtomicUsize::new(0),
        });
        let here = self.replica(Arc::clone(&hot) as Arc<dyn Hot>).await;
        let there = self.replica(Arc::clone(&hot) as Arc<dyn Hot>).await;
        eventually(|| async { hot.listened.load(Ordering::SeqCst) == 6 }).await;
        (here, there)
    }

    /// A replica whose hints are its own.
    pub(super) async fn deaf(&self) -> Replica {
        self.replica(Arc::new(Memory::new(SystemClock::shared()))).await
    }

    async fn replica(&self, hot: Arc<dyn Hot>) -> Replica {
        let upstream = Arc::new(Held::default());
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let hooks = Hooks::default();
        let repositories = hooks.clone();
        let renew = hooks.renewal(Arc::clone(&self.catalog));
        let deps = Deps {
            clock: Arc::clone(&clock),
            catalog: Arc::clone(&self.catalog),
            hot: Arc::clone(&hot),
            replica: root::identity(),
            blobs: self.blobs.clone(),
            upstream: upstream.clone(),
            spools: Arc::new(Spools::new(self.dir.path().join("spools"))),
            settings: Settings::default(),
            evicted: Arc::new(|_| {}),
            repositories: Arc::new(move || repositories.repositories()),
            renew: Arc::clone(&renew),
        };
        let (root, handles) = Root::start(deps).await.unwrap();
        let parts = Parts {
            clock,
            catalog: Arc::clone(&self.catalog),
            blobs: self.blobs.clone(),
            hot,
            upstream: upstream.clone(),
            handles,
            memos: Arc::new(Memos::open(self.dir.path().join("pages"), 0)),
            settings: Cache::default(),
            link_lifetime: Duration::from_secs(1),
            observer: Arc::new(|_| {}),
            hooks,
        };
        Replica {
            engine: Engine::new(parts).await.unwrap(),
            upstream,
            renew,
            _root: root,
        }
    }
}

pub(super) struct Replica {
    pub(super) engine: Engine,
    pub(super) upstream: Arc<Held>,
    /// Reads anew what is in memory.
    pub(super) renew: Renewal,
    _root: Root,
}

impl Replica {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.engine.shared
    }

    /// What a client gets of `doc`, as its digest.
    pub(super) async fn get(&self) -> Result<Digest, Fault> {
        let mount = self.shared().table.get("r").unwrap();
        let want = Want::new(Key::new("doc").unwrap(), Class::Immutable(Integrity::Pinned));
        let got = Quest::new(self.shared(), &mount, want)
            .obtain(Wish::default())
            .await?;
        let (document, _) = got.document(Duration::from_secs(30)).await?;
        Ok(match document {
            Document::Stored(entry) => entry.digest.clone(),
            Document::Spooled(fetched) => fetched.digests.sha256.clone(),
        })
    }
}
