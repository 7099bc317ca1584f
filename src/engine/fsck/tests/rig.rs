//! A store of its own for each test, and the damage to plant in it.

use artifactapi_core::digest::Digest;
use artifactapi_core::entry::{Entry, Lifetime};
use artifactapi_core::headers::Headers;
use artifactapi_core::key::{Key, ObjectName};
use artifactapi_core::port::catalog::{Commit, Committed, Guard, Pin};
use artifactapi_core::repository::{LocalSettings, Repository, Role};
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use bytes::Bytes;
use uuid::Uuid;

use super::super::*;

/// Two hours from now, so that what was planted is old.
struct Later;

impl Clock for Later {
    fn now(&self) -> Time {
        artifactapi_core::clock::SystemClock
            .now()
            .plus(Duration::from_hours(2))
    }
}

pub(super) struct Rig {
    pub(super) dir: tempfile::TempDir,
    pub(super) stores: Stores,
    pub(super) repo: RepoId,
}

impl Rig {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Sqlite::open(&dir.path().join("catalog.db")).await.unwrap();
        let stores = Stores {
            catalog: Arc::new(catalog),
            blobs: Arc::new(Folder::open(dir.path().join("objects")).unwrap()),
            spools: Arc::new(Spools::new(dir.path().join("spool"))),
            clock: Arc::new(Later),
        };
        let repository = Repository {
            id: RepoId(Uuid::now_v7()),
            name: "files".to_owned(),
            package_type: "generic".to_owned(),
            role: Role::Local(LocalSettings::default()),
            revision: 1,
            created_at: Time(0),
            updated_at: Time(0),
        };
        stores.catalog.create_repository(&repository).await.unwrap();
        let repo = repository.id;
        Self { dir, stores, repo }
    }

    pub(super) async fn write(&self, object: &ObjectName, body: &str) {
        let mut writer = self.stores.blobs.create(object).await.unwrap();
        writer.write(Bytes::from(body.to_owned())).await.unwrap();
        writer.commit().await.unwrap();
    }

    /// Stores bytes as the engine does.
    pub(super) async fn put(&self, path: &str, body: &str, lifetime: Lifetime) -> Entry {
        let digest = Digest::sha256(body.as_bytes());
        let entry = Entry {
            id: EntryKey::new(self.repo, Key::new(path).unwrap()),
            object: ObjectName::blob(&digest, Uuid::now_v7()),
            digest,
            size: body.len() as u64,
            lifetime,
            media: "text/plain".to_owned(),
            etag: None,
            last_modified: None,
            kept: Headers::new(),
            source_url: None,
            proven: true,
            fetched_at: Time(1),
            validated_at: Time(1),
            expires_at: None,
        };
        self.write(&entry.object, body).await;
        let commit = Commit {
            entry,
            revision: None,
            guard: Guard::None,
            pin: Pin::No,
            facts: None,
            quota: 0,
        };
        match self.stores.catalog.commit(commit).await.unwrap() {
            Committed::Stored { entry, .. } => *entry,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn cached(&self, path: &str, body: &str) -> Entry {
        self.put(path, body, Lifetime::Immutable).await
    }

    pub(super) async fn lose(&self, object: &ObjectName) {
        assert!(self.stores.blobs.delete(object).await.unwrap());
    }

    /// Where an object lies.
    pub(super) fn file(&self, object: &ObjectName) -> std::path::PathBuf {
        let parts: Vec<_> = object.as_str().split('/').collect();
        let [blobs, alg, hex, generation] = parts[..] else {
            panic!("{object} is no blob");
        };
        let dir = self.dir.path().join("objects").join(blobs).join(alg);
        dir.join(&hex[..2]).join(format!("{hex}_{generation}"))
    }

    pub(super) async fn run(&self, options: Options) -> Report {
        fsck(&self.stores, &options).await.unwrap()
    }

    /// Damage and name of everything found.
    pub(super) async fn found(&self, options: Options) -> Vec<(Damage, String)> {
        let findings = self.run(options).await.findings.into_iter();
        findings.map(|finding| (finding.kind, finding.name)).collect()
    }

    pub(super) async fn entry(&self, entry: &Entry) -> Option<Entry> {
        self.stores.catalog.entry(&entry.id).await.unwrap()
    }

    // The nine kinds. Each gives what must be found.

    pub(super) async fn missing_object(&self, lifetime: Lifetime) -> (Damage, String) {
        let entry = self.put("missing", "missing", lifetime).await;
        self.lose(&entry.object).await;
        (Damage::MissingObject, entry.object.to_string())
    }

    pub(super) async fn wrong_size(&self) -> (Damage, String) {
        let entry = self.cached("short", "0123456789").await;
        self.write(&entry.object, "01234").await;
        (Damage::WrongSize, entry.object.to_string())
    }

    pub(super) async fn wrong_digest(&self) -> (Damage, String) {
        let entry = self.cached("flipped", "0123456780").await;
        self.write(&entry.object, "0123456781").await;
        (Damage::WrongDigest, entry.object.to_string())
    }

    pub(super) async fn dangling_entry(&self) -> (Damage, String) {
        let entry = self.put("dir/dangling", "dangling", Lifetime::Hosted).await;
        self.stores.catalog.condemn(&entry.object).await.unwrap();
        self.lose(&entry.object).await;
        (Damage::DanglingEntry, "files/dir/dangling".to_owned())
    }

    pub(super) async fn row_without_object(&self) -> (Damage, String) {
        let entry = self.cached("removed", "removed").await;
        self.stores
            .catalog
            .remove(&[(entry.id, None)], false)
            .await
            .unwrap();
        self.lose(&entry.object).await;
        (Damage::RowWithoutObject, entry.object.to_string())
    }

    pub(super) async fn half_deleted(&self) -> (Damage, String) {
        let entry = self.cached("collected", "collected").await;
        let gone = [(entry.id, None)];
        self.stores.catalog.remove(&gone, false).await.unwrap();
        let marked = self.stores.catalog.begin_deleting(Time(i64::MAX), 10).await;
        assert_eq!(marked.unwrap().len(), 1);
        self.lose(&entry.object).await;
        (Damage::HalfDeleted, entry.object.to_string())
    }

    pub(super) async fn object_without_row(&self) -> (Damage, String) {
        let object = ObjectName::upload(Uuid::now_v7());
        self.write(&object, "orphan").await;
        (Damage::ObjectWithoutRow, object.to_string())
    }

    pub(super) fn stale_spool(&self) -> (Damage, String) {
        std::fs::create_dir_all(self.stores.spools.dir()).unwrap();
        std::fs::write(self.stores.spools.dir().join(".tmp123"), b"spooled").unwrap();
        (Damage::StaleSpool, ".tmp123".to_owned())
    }

    pub(super) fn half_written(&self) -> (Damage, String) {
        std::fs::write(self.dir.path().join("objects/tmp/4711-abc"), b"half").unwrap();
        (Damage::HalfWritten, "4711-abc".to_owned())
    }

    /// Plants all nine; gives what must be found, in order.
    pub(super) async fn all(&self) -> Vec<(Damage, String)> {
        // First, as it marks every row that no entry names.
        let half_deleted = self.half_deleted().await;
        vec![
            self.missing_object(Lifetime::Immutable).await,
            self.wrong_size().await,
            self.wrong_digest().await,
            self.dangling_entry().await,
            self.row_without_object().await,
            half_deleted,
            self.object_without_row().await,
            self.stale_spool(),
            self.half_written(),
        ]
    }
}
