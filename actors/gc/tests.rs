use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::{EntryKey, Lifetime};
use artifactapi_core::event::EventKind;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::{
    BlobRows as _, Commit, Committed, Entries as _, Guard, LogRow, Page, Pin, Repositories as _,
};
use artifactapi_core::repository::{LocalSettings, RemoteSettings, Role};
use artifactapi_core::{Key, RepoId, Time};
use futures_util::StreamExt as _;

use super::*;
use crate::handles::Filter;
use crate::testing::rig::{Rig, rig, rig_with};
use crate::testing::{entry, eventually, soon};

const HOUR: Duration = Duration::from_hours(1);
const AT_ONCE: GcRequest = GcRequest {
    dry_run: false,
    grace: Some(Duration::ZERO),
};

/// A rig whose clock is right, since files have the times of the real one.
async fn rig_now() -> Rig {
    let rig = rig().await;
    rig.clock.set(SystemClock.now().0);
    rig
}

impl Rig {
    fn wait(&self, time: Duration) {
        self.clock.set(self.clock.now().plus(time).0);
    }

    async fn remote(&self, name: &str, set: impl FnOnce(&mut RemoteSettings)) -> RepoId {
        let mut settings = RemoteSettings::new("http://up.example/".parse().unwrap());
        set(&mut settings);
        self.repository(name, Role::Remote(Box::new(settings))).await
    }

    async fn repository(&self, name: &str, role: Role) -> RepoId {
        let now = self.clock.now();
        let repository = Repository {
            id: RepoId(uuid::Uuid::now_v7()),
            name: name.into(),
            package_type: "generic".into(),
            role,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        self.catalog.create_repository(&repository).await.unwrap();
        let id = repository.id;
        self.repositories.lock().unwrap().push(Arc::new(repository));
        id
    }

    /// Writes an object of `size` bytes that differ by `path`; commits no row.
    async fn object(&self, path: &str, size: usize) -> (ObjectName, Digest) {
        let bytes: Vec<u8> = path.bytes().cycle().take(size).collect();
        let digest = Digest::sha256(&bytes);
        let object = ObjectName::blob(&digest, uuid::Uuid::now_v7());
        let mut writer = self.blobs.create(&object).await.unwrap();
        writer.write(bytes.into()).await.unwrap();
        writer.commit().await.unwrap();
        (object, digest)
    }

    /// Stores an entry of `size` bytes that differ by its path.
    async fn store(&self, repo: RepoId, path: &str, size: usize) -> ObjectName {
        let (object, digest) = self.object(path, size).await;
        let now = self.clock.now();
        let entry = Entry {
            id: EntryKey::new(repo, Key::new(path).unwrap()),
            digest,
            object: object.clone(),
            size: size as u64,
            lifetime: Lifetime::Immutable,
            fetched_at: now,
            validated_at: now,
            ..Entry::clone(&entry(path))
        };
        let commit = Commit {
            entry,
            revision: None,
            guard: Guard::None,
            pin: Pin::No,
            facts: None,
            quota: 0,
        };
        let committed = self.catalog.commit(commit).await.unwrap();
        assert!(matches!(committed, Committed::Stored { .. }));
        object
    }

    /// A client uses an entry now.
    fn touch(&self, repo: RepoId, path: &str) {
        let row = LogRow {
            at: self.clock.now(),
            repo: "r".into(),
            method: "GET",
            path: path.into(),
            status: 200,
            outcome: "hit",
            hit: true,
            bytes: 1,
            micros: 1,
        };
        let used = EntryKey::new(repo, Key::new(path).unwrap());
        self.handles.log.push(row, Some(used.into()));
    }

    async fn paths(&self, repo: RepoId) -> Vec<String> {
        let page = Page {
            limit: 100,
            ..Page::default()
        };
        let listed = self.catalog.page(repo, &page).await.unwrap();
        listed
            .into_iter()
            .map(|listed| listed.entry.id.key.to_string())
            .collect()
    }

    async fn holds(&self, object: &ObjectName) -> bool {
        self.blobs.size(object).await.unwrap().is_some()
    }

    async fn collect(&self, request: GcRequest) -> GcReport {
        let report = soon(self.handles.gc.run(request)).await.unwrap();
        assert_eq!(self.handles.gc.last().as_ref(), Some(&report));
        report
    }

    fn file(&self, path: &str) -> PathBuf {
        let file = self.dir.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, b"half").unwrap();
        file
    }
}

#[actix::test]
async fn beyond_its_cap_a_remote_loses_what_was_used_longest_ago() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |settings| settings.max_cache_bytes = 250).await;
    for path in ["a", "b", "c", "d"] {
        rig.store(repo, path, 100).await;
    }
    let mut watch = rig
        .handles
        .events
        .watch(
            Filter {
                kinds: [EventKind::Evict].into(),
                ..Filter::default()
            },
            None,
        )
        .await;
    for path in ["b", "d", "a", "c"] {
        rig.wait(Duration::from_secs(1));
        rig.touch(repo, path);
    }
    let report = rig.collect(GcRequest::default()).await;
    assert_eq!((report.evicted, report.evicted_bytes), (2, 200));
    assert_eq!(*rig.evicted.lock().unwrap(), ["b", "d"]);
    assert_eq!(rig.paths(repo).await, ["a", "c"]);
    let told = soon(watch.next()).await.unwrap();
    assert!(
        told.data.contains(r#""remote":"r""#) && told.data.contains(r#""bytes":200"#),
        "{}",
        told.data
    );
    assert_eq!(rig.collect(GcRequest::default()).await.evicted, 0);
    rig.stop().await;
}

#[actix::test]
async fn entries_unused_for_too_long_go_and_others_stay() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |settings| settings.max_unused = 3600).await;
    let other = rig.remote("s", |_| {}).await;
    for number in 0..260 {
        rig.store(repo, &format!("old-{number}"), 1).await;
    }
    rig.store(other, "old", 1).await;
    rig.store(repo, "used", 1).await;
    rig.wait(HOUR * 2);
    rig.touch(repo, "used");
    rig.store(repo, "new", 1).await;
    assert_eq!(rig.collect(GcRequest::default()).await.evicted, 260);
    assert_eq!(rig.paths(repo).await, ["new", "used"]);
    assert_eq!(rig.paths(other).await, ["old"]);
    rig.stop().await;
}

#[actix::test]
async fn hosted_entries_are_never_evicted() {
    let rig = rig_now().await;
    let local = rig.repository("l", Role::Local(LocalSettings::default())).await;
    let object = rig.store(local, "mine", 100).await;
    rig.wait(HOUR * 24 * 365);
    let report = rig.collect(AT_ONCE).await;
    assert_eq!((report.evicted, report.deleted, report.orphans), (0, 0, 0));
    assert!(rig.holds(&object).await);
    rig.stop().await;
}

#[actix::test]
async fn a_blob_goes_when_its_grace_is_over_and_not_before() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |_| {}).await;
    let (kept, gone) = (
        rig.store(repo, "kept", 10).await,
        rig.store(repo, "gone", 30).await,
    );
    let id = EntryKey::new(repo, Key::new("gone").unwrap());
    rig.wait(HOUR * 2);
    rig.catalog.remove(&[(id, None)], false).await.unwrap();
    rig.wait(HOUR / 2);
    assert_eq!(rig.collect(GcRequest::default()).await.deleted, 0);
    assert!(rig.holds(&gone).await);
    rig.wait(HOUR);
    let report = rig.collect(GcRequest::default()).await;
    assert_eq!((report.deleted, report.bytes, report.errors.len()), (1, 30, 0));
    assert!(!rig.holds(&gone).await && rig.holds(&kept).await);
    assert_eq!(rig.catalog.blobs(None, 9).await.unwrap().len(), 1);
    rig.stop().await;
}

#[actix::test]
async fn more_blobs_than_a_batch_go_in_one_collection() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |settings| settings.max_unused = 1).await;
    for number in 0..260 {
        rig.store(repo, &format!("n-{number}"), 1 + number).await;
    }
    rig.wait(HOUR);
    assert_eq!(rig.collect(GcRequest::default()).await.evicted, 260);
    rig.wait(HOUR * 2);
    assert_eq!(rig.collect(GcRequest::default()).await.deleted, 260);
    assert_eq!(rig.blobs.list("blobs/", None, 9).await.unwrap(), []);
    rig.stop().await;
}

#[actix::test]
async fn orphans_go_after_the_time_that_a_write_may_take() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |_| {}).await;
    let (orphan, _) = rig.object("orphan", 20).await;
    let upload = ObjectName::upload(uuid::Uuid::now_v7());
    rig.blobs.create(&upload).await.unwrap().commit().await.unwrap();
    let named = rig.store(repo, "named", 10).await;
    rig.wait(HOUR / 2);
    assert_eq!(rig.collect(AT_ONCE).await.orphans, 0, "its row may be on the way");
    rig.wait(HOUR);
    let report = rig.collect(AT_ONCE).await;
    assert_eq!((report.orphans, report.bytes), (2, 20));
    assert!(!rig.holds(&orphan).await && !rig.holds(&upload).await && rig.holds(&named).await);
    rig.stop().await;
}

#[actix::test]
async fn what_dead_writers_and_spools_left_behind_goes() {
    let rig = rig_now().await;
    let left = [rig.file("blobs/tmp/half"), rig.file("spool/half")];
    assert_eq!(rig.collect(AT_ONCE).await.leftovers, 0);
    rig.wait(HOUR * 2);
    let report = rig.collect(AT_ONCE).await;
    assert_eq!((report.leftovers, report.errors.len()), (2, 0));
    assert!(left.iter().all(|file| !file.exists()));
    rig.stop().await;
}

#[actix::test]
async fn old_rows_of_the_access_log_go() {
    let rig = rig_now().await;
    rig.touch(RepoId(uuid::Uuid::nil()), "x");
    rig.handles.log.flush().await;
    rig.wait(HOUR * 24 * 31);
    rig.touch(RepoId(uuid::Uuid::nil()), "x");
    assert_eq!(rig.collect(GcRequest::default()).await.log_rows, 1);
    rig.stop().await;
}

#[actix::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |settings| settings.max_cache_bytes = 10).await;
    let objects = [rig.store(repo, "a", 10).await, rig.store(repo, "b", 20).await];
    let (orphan, _) = rig.object("orphan", 7).await;
    let left = rig.file("spool/half");
    let id = EntryKey::new(repo, Key::new("b").unwrap());
    let other = rig.store(repo, "c", 30).await;
    rig.catalog.remove(&[(id, None)], false).await.unwrap();
    rig.wait(HOUR * 3);
    let dry = rig
        .collect(GcRequest {
            dry_run: true,
            grace: None,
        })
        .await;
    for object in objects.iter().chain([&orphan, &other]) {
        assert!(rig.holds(object).await);
    }
    assert!(left.exists());
    assert_eq!(rig.paths(repo).await, ["a", "c"]);
    let real = rig.collect(GcRequest::default()).await;
    let counts = |report: &GcReport| {
        (
            report.evicted,
            report.deleted,
            report.orphans,
            report.leftovers,
            report.bytes,
        )
    };
    assert_eq!(counts(&dry), (2, 1, 1, 1, 27));
    assert_eq!(counts(&dry), counts(&real));
    assert_eq!((dry.outcome(), real.outcome()), ("dry_run", "done"));
    rig.stop().await;
}

#[actix::test]
async fn a_step_that_fails_is_told_and_stops_no_other() {
    let rig = rig_now().await;
    let repo = rig.remote("r", |settings| settings.max_unused = 1).await;
    let object = rig.store(repo, "stuck", 10).await;
    rig.wait(HOUR);
    rig.collect(GcRequest::default()).await;
    rig.wait(HOUR * 2);
    // A folder with something in it stands where the object's file was.
    let (digest, generation) = object
        .as_str()
        .strip_prefix("blobs/sha256/")
        .unwrap()
        .split_once('/')
        .unwrap();
    let file = rig.dir.path().join(format!(
        "blobs/blobs/sha256/{}/{digest}_{generation}",
        &digest[..2]
    ));
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("inside")).unwrap();
    let left = rig.file("spool/half");
    rig.wait(HOUR * 2);
    let report = rig.collect(GcRequest::default()).await;
    assert_eq!(
        (report.deleted, report.leftovers, report.outcome()),
        (0, 1, "failed")
    );
    assert!(
        report.errors.iter().any(|error| error.starts_with("blob: ")),
        "{:?}",
        report.errors
    );
    assert!(!left.exists());
    fs::remove_dir_all(&file).unwrap();
    assert_eq!(
        rig.collect(GcRequest::default()).await.deleted,
        1,
        "the next collection ends it"
    );
    rig.stop().await;
}

#[actix::test]
async fn collections_take_turns() {
    let rig = rig_now().await;
    let gc = &rig.handles.gc;
    let (a, b) = tokio::join!(
        gc.run(AT_ONCE),
        gc.run(GcRequest {
            dry_run: true,
            grace: None
        })
    );
    assert!(!a.unwrap().dry_run && b.unwrap().dry_run);
    rig.stop().await;
}

#[actix::test]
async fn a_collection_that_panics_gives_its_turn_back() {
    let rig = rig_now().await;
    rig.remote("r", |settings| settings.max_unused = 1).await;
    // Whoever asks for the repositories now panics over the poisoned lock.
    let poisoned = Arc::clone(&rig.repositories);
    let poisoner = std::thread::spawn(move || {
        let _guard = poisoned.lock().unwrap();
        panic!("poison");
    });
    poisoner.join().unwrap_err();
    let fault = soon(rig.handles.gc.run(AT_ONCE)).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Internal);
    rig.repositories.clear_poison();
    assert_eq!(rig.collect(AT_ONCE).await.outcome(), "done");
    let gc = || {
        rig.handles
            .board
            .workers()
            .into_iter()
            .find(|worker| worker.name == "gc")
            .unwrap()
    };
    assert_eq!((gc().restarts, gc().queue), (1, 0));
    rig.stop().await;
}

#[actix::test]
async fn collections_come_by_themselves_also_after_a_panic() {
    let rig = rig_with(Duration::from_millis(20)).await;
    eventually(|| rig.handles.gc.last().is_some()).await;
    assert!(rig.handles.crash("gc").await);
    rig.wait(HOUR);
    let now = rig.clock.now();
    eventually(|| rig.handles.gc.last().is_some_and(|report| report.started == now)).await;
    rig.stop().await;
}

#[test]
fn a_report_reads_as_a_document() {
    let report = GcReport {
        started: Time(1_000_000),
        evicted: 3,
        ..GcReport::default()
    };
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["started"], &json["evicted"]),
        (&"1970-01-01T00:00:01.000Z".into(), &3.into())
    );
}
