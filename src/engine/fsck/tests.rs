//! Every kind of damage, planted and found.

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

use super::*;

/// Two hours from now, so that what was planted is old.
struct Later;

impl Clock for Later {
    fn now(&self) -> Time {
        artifactapi_core::clock::SystemClock
            .now()
            .plus(Duration::from_hours(2))
    }
}

struct Rig {
    dir: tempfile::TempDir,
    stores: Stores,
    repo: RepoId,
}

impl Rig {
    async fn new() -> Self {
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

    async fn write(&self, object: &ObjectName, body: &str) {
        let mut writer = self.stores.blobs.create(object).await.unwrap();
        writer.write(Bytes::from(body.to_owned())).await.unwrap();
        writer.commit().await.unwrap();
    }

    /// Stores bytes as the engine does.
    async fn put(&self, path: &str, body: &str, lifetime: Lifetime) -> Entry {
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

    async fn cached(&self, path: &str, body: &str) -> Entry {
        self.put(path, body, Lifetime::Immutable).await
    }

    async fn lose(&self, object: &ObjectName) {
        assert!(self.stores.blobs.delete(object).await.unwrap());
    }

    async fn run(&self, options: Options) -> Report {
        fsck(&self.stores, &options).await.unwrap()
    }

    /// Damage and name of everything found.
    async fn found(&self, options: Options) -> Vec<(Damage, String)> {
        let findings = self.run(options).await.findings.into_iter();
        findings.map(|finding| (finding.damage, finding.name)).collect()
    }

    async fn entry(&self, entry: &Entry) -> Option<Entry> {
        self.stores.catalog.entry(&entry.id).await.unwrap()
    }

    // The eight kinds. Each gives what must be found.

    async fn missing_object(&self, lifetime: Lifetime) -> (Damage, String) {
        let entry = self.put("missing", "missing", lifetime).await;
        self.lose(&entry.object).await;
        (Damage::MissingObject, entry.object.to_string())
    }

    async fn wrong_size(&self) -> (Damage, String) {
        let entry = self.cached("short", "0123456789").await;
        self.write(&entry.object, "01234").await;
        (Damage::WrongSize, entry.object.to_string())
    }

    async fn flipped_byte(&self) -> (Damage, String) {
        let entry = self.cached("flipped", "0123456780").await;
        self.write(&entry.object, "0123456781").await;
        (Damage::FlippedByte, entry.object.to_string())
    }

    async fn dangling_link(&self) -> (Damage, String) {
        let entry = self.put("dir/dangling", "dangling", Lifetime::Hosted).await;
        self.stores.catalog.condemn(&entry.object).await.unwrap();
        self.lose(&entry.object).await;
        (Damage::DanglingLink, "files/dir/dangling".to_owned())
    }

    async fn row_without_object(&self) -> (Damage, String) {
        let entry = self.cached("removed", "removed").await;
        self.stores
            .catalog
            .remove(&[(entry.id, None)], false)
            .await
            .unwrap();
        self.lose(&entry.object).await;
        (Damage::RowWithoutObject, entry.object.to_string())
    }

    async fn object_without_row(&self) -> (Damage, String) {
        let object = ObjectName::upload(Uuid::now_v7());
        self.write(&object, "orphan").await;
        (Damage::ObjectWithoutRow, object.to_string())
    }

    fn stale_spool(&self) -> (Damage, String) {
        std::fs::create_dir_all(self.stores.spools.dir()).unwrap();
        std::fs::write(self.stores.spools.dir().join(".tmp123"), b"spooled").unwrap();
        (Damage::StaleSpool, ".tmp123".to_owned())
    }

    fn half_written(&self) -> (Damage, String) {
        std::fs::write(self.dir.path().join("objects/tmp/4711-abc"), b"half").unwrap();
        (Damage::HalfWritten, "4711-abc".to_owned())
    }

    /// Plants all eight; gives what must be found, in order.
    async fn all(&self) -> Vec<(Damage, String)> {
        vec![
            self.missing_object(Lifetime::Immutable).await,
            self.wrong_size().await,
            self.flipped_byte().await,
            self.dangling_link().await,
            self.row_without_object().await,
            self.object_without_row().await,
            self.stale_spool(),
            self.half_written(),
        ]
    }
}

const READ: Options = Options {
    rehash: false,
    repair: false,
    grace: GRACE,
};
const REHASH: Options = Options { rehash: true, ..READ };
const REPAIR: Options = Options {
    repair: true,
    ..REHASH
};

#[tokio::test]
async fn a_sound_store_is_clean() {
    let rig = Rig::new().await;
    for n in 0..3 {
        rig.cached(&format!("{n}"), &format!("{n}")).await;
        rig.put(&format!("hosted {n}"), &format!("{n}"), Lifetime::Hosted)
            .await;
    }
    // Equal bytes were written twice; the second object is an orphan until the engine removes it.
    let found = rig.found(REHASH).await;
    assert_eq!(found.len(), 3);
    for (_, object) in found {
        rig.lose(&ObjectName::stored(object)).await;
    }
    let report = rig.run(REHASH).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (
            report.counts.rows,
            report.counts.objects,
            report.counts.bytes_hashed
        ),
        (3, 3, 3)
    );
    assert_eq!(report.exit_code(), 0);
}

#[tokio::test]
async fn all_eight_kinds_are_reported_exactly() {
    let rig = Rig::new().await;
    rig.cached("sound", "sound").await;
    let planted = rig.all().await;
    let kinds: Vec<_> = planted.iter().map(|(damage, _)| damage.as_str()).collect();
    assert_eq!(kinds.len(), 8);
    assert_eq!(rig.found(REHASH).await, planted);
    assert_eq!(rig.found(REHASH).await, planted, "looking changes nothing");
    assert_eq!(rig.run(REHASH).await.exit_code(), 1);
}

#[tokio::test]
async fn each_kind_alone_has_its_exit_code() {
    for (n, code) in [1, 1, 1, 1, 0, 0, 0, 0].into_iter().enumerate() {
        let rig = Rig::new().await;
        let planted = match n {
            0 => rig.missing_object(Lifetime::Hosted).await,
            1 => rig.wrong_size().await,
            2 => rig.flipped_byte().await,
            3 => rig.dangling_link().await,
            4 => rig.row_without_object().await,
            5 => rig.object_without_row().await,
            6 => rig.stale_spool(),
            _ => rig.half_written(),
        };
        assert_eq!(rig.found(REHASH).await, [planted.clone()]);
        let report = rig.run(REHASH).await;
        assert_eq!(report.exit_code(), code, "{planted:?}");
        assert!(!report.is_clean());
    }
}

#[tokio::test]
async fn bytes_are_read_only_when_asked_for() {
    let rig = Rig::new().await;
    let flipped = rig.flipped_byte().await;
    let report = rig.run(READ).await;
    assert!(report.is_clean());
    assert_eq!(report.counts.bytes_hashed, 0);
    assert_eq!(rig.found(REHASH).await, [flipped]);
}

#[tokio::test]
async fn a_repair_removes_leftovers_and_forgets_damaged_copies() {
    let rig = Rig::new().await;
    let sound = rig.cached("sound", "sound").await;
    let planted = rig.all().await;
    let report = rig.run(REPAIR).await;
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.damage, finding.name.clone()))
        .collect();
    assert_eq!(found, planted);
    let left: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| !finding.repaired)
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        left[0].damage,
        Damage::DanglingLink,
        "hosted bytes cannot be fetched again"
    );
    assert_eq!(report.exit_code(), 1);
    assert_eq!(
        rig.found(REHASH).await,
        [(Damage::DanglingLink, "files/dir/dangling".to_owned())]
    );
    assert_eq!(rig.entry(&sound).await, Some(sound));
    for path in ["missing", "short", "flipped"] {
        let id = EntryKey::new(rig.repo, Key::new(path).unwrap());
        assert_eq!(rig.stores.catalog.entry(&id).await.unwrap(), None, "{path}");
    }
}

#[tokio::test]
async fn a_repair_leaves_alone_what_is_young() {
    let mut rig = Rig::new().await;
    rig.stores.clock = artifactapi_core::clock::SystemClock::shared();
    let planted = vec![
        rig.object_without_row().await,
        rig.stale_spool(),
        rig.half_written(),
    ];
    let report = rig.run(REPAIR).await;
    assert!(
        report.findings.iter().all(|finding| !finding.repaired),
        "{report:?}"
    );
    assert!(report.findings[0].detail.contains("young"));
    assert_eq!(rig.found(READ).await, planted);
    let at_once = Options {
        grace: Duration::ZERO,
        ..REPAIR
    };
    assert!(
        rig.run(at_once)
            .await
            .findings
            .iter()
            .all(|finding| finding.repaired)
    );
    assert!(rig.run(READ).await.is_clean());
}

#[tokio::test]
async fn damaged_hosted_bytes_wait_for_their_publisher() {
    let rig = Rig::new().await;
    let entry = rig.put("wheel", "0123456780", Lifetime::Hosted).await;
    rig.write(&entry.object, "0123456781").await;
    let report = rig.run(REPAIR).await;
    assert_eq!(report.exit_code(), 1);
    assert!(report.findings[0].detail.contains("1 hosted"), "{report:?}");
    let left = rig.found(READ).await;
    let link = (Damage::DanglingLink, "files/wheel".to_owned());
    let orphan = (Damage::ObjectWithoutRow, entry.object.to_string());
    assert_eq!(left, [link, orphan]);
    let again = rig.put("wheel", "0123456780", Lifetime::Hosted).await;
    assert_ne!(again.object, entry.object);
    assert_eq!(rig.run(REPAIR).await.exit_code(), 0);
    assert!(rig.run(REHASH).await.is_clean());
}

#[tokio::test]
async fn it_reads_beside_a_server_that_writes() {
    let rig = Rig::new().await;
    let beside = Stores {
        catalog: Arc::new(
            Sqlite::open_read_only(&rig.dir.path().join("catalog.db"))
                .await
                .unwrap(),
        ),
        blobs: rig.stores.blobs.clone(),
        spools: rig.stores.spools.clone(),
        clock: artifactapi_core::clock::SystemClock::shared(),
    };
    let work = async {
        for n in 0..60 {
            let entry = rig.cached("churn", &format!("{n}")).await;
            if n % 3 == 0 {
                rig.stores
                    .catalog
                    .remove(&[(entry.id, None)], false)
                    .await
                    .unwrap();
            }
            for row in rig
                .stores
                .catalog
                .begin_deleting(Time(i64::MAX), 10)
                .await
                .unwrap()
            {
                rig.stores.blobs.delete(&row.object).await.unwrap();
                rig.stores
                    .catalog
                    .end_deleting(&row.digest, &row.object)
                    .await
                    .unwrap();
            }
        }
    };
    let check = async {
        for _ in 0..10 {
            let report = fsck(&beside, &REHASH).await.unwrap();
            assert_eq!(report.exit_code(), 0, "{report:?}");
        }
    };
    tokio::join!(work, check);
    assert!(fsck(&beside, &REHASH).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_check_that_cannot_run_is_a_fault() {
    let rig = Rig::new().await;
    std::fs::write(rig.dir.path().join("spool"), b"a file where the folder should be").unwrap();
    let fault = fsck(&rig.stores, &READ).await.unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable);
}

#[tokio::test]
async fn reports_are_documents() {
    let rig = Rig::new().await;
    let (_, object) = rig.missing_object(Lifetime::Immutable).await;
    let document = serde_json::to_value(rig.run(READ).await).unwrap();
    let wanted = serde_json::json!({
        "findings": [{
            "damage": "missing_object",
            "name": object,
            "detail": "1 entry names it",
            "repaired": false,
        }],
        "rows": 1,
        "objects": 0,
        "bytes_hashed": 0,
    });
    assert_eq!(document, wanted);
}
