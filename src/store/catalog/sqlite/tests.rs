//! What SQLite adds to the port.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use artifactapi_core::Time;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::catalog::{Journal as _, Repositories as _};
use sqlx::Row as _;

use super::super::sql;
use super::*;

struct Fresh {
    dir: tempfile::TempDir,
}

impl Fresh {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("catalog.db")
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(&self.file()).await.unwrap()
    }
}

#[tokio::test]
async fn every_statement_is_prepared_on_a_fresh_database() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    for (name, text) in sql::ALL {
        for rows in [1, 3] {
            let text = sqlx::AssertSqlSafe(format!("EXPLAIN {}", sql::for_rows(text, rows)));
            let ran = sqlx::query(text).fetch_all(&db.embedded().write).await;
            assert!(ran.is_ok(), "{name}: {:?}", ran.err());
        }
    }
}

/// A table read from end to end is slow when it is large. Allowed where everything is wanted, and for the search for
/// damage.
#[tokio::test]
async fn statements_find_their_rows_by_index() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    for (name, text) in sql::ALL {
        let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
        let plan = sqlx::query(plan).fetch_all(&db.embedded().read).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let small = |step: &str| step.contains("CONSTANT ROW") || step.ends_with("INDEX blobs_deleting");
        let scans = plan.iter().any(|step| step.starts_with("SCAN") && !small(step));
        let plan = plan.join("; ");
        // The log is read up to a limit, in the order of its key.
        assert_eq!(
            scans,
            matches!(*name, "REPOSITORIES" | "DANGLING" | "PRUNE_LOG"),
            "{name}: {plan}"
        );
        // One digest has few entries.
        let sorts = plan.contains("TEMP B-TREE") && *name != "CACHED_ENTRIES_OF_DIGEST";
        assert!(!sorts, "{name}: {plan}");
    }
}

#[tokio::test]
async fn commits_reach_the_disk_and_reads_never_write() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    for (pool, pragma, wanted) in [
        (&db.embedded().write, "synchronous", "2"),
        (&db.embedded().write, "journal_mode", "wal"),
        (&db.embedded().write, "foreign_keys", "1"),
        (&db.embedded().write, "query_only", "0"),
        (&db.embedded().read, "query_only", "1"),
    ] {
        let text = format!("SELECT CAST({pragma} AS text) FROM pragma_{pragma}");
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(pool);
        let found: String = found.await.unwrap();
        assert_eq!(found, wanted, "{pragma}");
    }
}

#[tokio::test]
async fn the_file_is_readable_by_its_owner_alone() {
    let fresh = Fresh::new();
    let _db = fresh.open().await;
    let mode = std::fs::metadata(fresh.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn opening_again_migrates_nothing_and_keeps_everything() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    db.settle("name", "value").await.unwrap();
    db.close().await;
    let db = fresh.open().await;
    assert_eq!(db.setting("name").await.unwrap().as_deref(), Some("value"));
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM schema_migrations")
        .fetch_one(&db.embedded().read)
        .await
        .unwrap();
    assert_eq!(applied, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_file_at_once() {
    let fresh = Fresh::new();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let file = fresh.file();
        all.spawn(async move { Sqlite::open(&file).await });
    }
    for db in all.join_all().await {
        assert_eq!(db.unwrap().repositories().await.unwrap(), []);
    }
    let files: Vec<_> = std::fs::read_dir(fresh.dir.path()).unwrap().collect();
    assert!(
        files.len() <= 4,
        "only the catalog's own files and its key: {files:?}"
    );
}

/// A file that is opened and closed beside `SQLite` takes this process's locks on it with it.
#[tokio::test]
async fn opening_again_keeps_the_locks_of_who_has_it_open() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    let shared = || {
        let inode = std::fs::metadata(fresh.file()).unwrap().ino();
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.contains(&format!(":{inode} "))
    };
    assert!(shared());
    let beside = fresh.open().await;
    assert!(shared());
    beside.close().await;
    assert!(shared());
    db.close().await;
}

#[tokio::test]
async fn a_newer_catalog_is_refused_by_name() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    sqlx::query("INSERT INTO schema_migrations VALUES (2, 'later', 'sha256:00', 0)")
        .execute(&db.embedded().write)
        .await
        .unwrap();
    db.close().await;
    for opened in [
        Sqlite::open(&fresh.file()).await,
        Sqlite::open_read_only(&fresh.file()).await,
    ] {
        let fault = opened.err().unwrap();
        assert_eq!(fault.kind, Kind::StoreUnavailable);
        assert!(fault.what.contains("newer version"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_catalog_with_another_history_is_refused() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    sqlx::query("UPDATE schema_migrations SET checksum = 'sha256:00'")
        .execute(&db.embedded().write)
        .await
        .unwrap();
    db.close().await;
    let fault = Sqlite::open(&fresh.file()).await.err().unwrap();
    assert!(fault.what.contains("migration 1"), "{fault:?}");
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing() {
    let fresh = Fresh::new();
    let db = fresh.open().await;
    let broken = migrate::Migration::test(2, "CREATE TABLE more (a); CREATE TABLE blobs (a);");
    let known = [migrate::SQLITE[0].clone(), broken];
    assert!(migrate::apply(&db.db, &known, Time(0)).await.is_err());
    db.close().await;
    let db = fresh.open().await;
    let more = sqlx::query("SELECT * FROM more")
        .fetch_all(&db.embedded().read)
        .await;
    assert!(more.is_err());
}

#[tokio::test]
async fn reading_beside_a_server_sees_its_commits_and_writes_nothing() {
    let fresh = Fresh::new();
    assert!(
        Sqlite::open_read_only(&fresh.file()).await.is_err(),
        "there is no file yet"
    );
    assert!(!fresh.file().exists());
    let server = fresh.open().await;
    let beside = Sqlite::open_read_only(&fresh.file()).await.unwrap();
    server.settle("name", "value").await.unwrap();
    assert_eq!(beside.setting("name").await.unwrap().as_deref(), Some("value"));
    let fault = beside.settle("other", "value").await.unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable);
    beside.close().await;
    server.close().await;
    let alone = Sqlite::open_read_only(&fresh.file()).await.unwrap();
    assert_eq!(alone.setting("name").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn reading_alone_makes_no_file_and_knows_when_a_server_comes() {
    let fresh = Fresh::new();
    fresh.open().await.close().await;
    let files = || std::fs::read_dir(fresh.file().parent().unwrap()).unwrap().count();
    let before = files();
    let alone = Sqlite::open_read_only(&fresh.file()).await.unwrap();
    assert_eq!(alone.setting("name").await.unwrap(), None);
    assert_eq!(files(), before);
    assert!(alone.is_current());
    let server = fresh.open().await;
    assert!(!alone.is_current(), "it is there");
    let beside = Sqlite::open_read_only(&fresh.file()).await.unwrap();
    server.settle("name", "value").await.unwrap();
    assert!(beside.is_current());
    beside.close().await;
    server.close().await;
    assert!(!alone.is_current(), "it was there");
    assert!(server.is_current());
}

#[tokio::test]
async fn an_empty_file_is_no_catalog_to_read() {
    let fresh = Fresh::new();
    std::fs::write(fresh.file(), b"").unwrap();
    let fault = Sqlite::open_read_only(&fresh.file()).await.err().unwrap();
    assert!(fault.what.contains("not migrated"), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_its_port() {
    let dirs = tempfile::tempdir().unwrap();
    let make = || async {
        let file = dirs.path().join(uuid::Uuid::now_v7().to_string());
        Sqlite::open(&file).await.unwrap()
    };
    crate::conformance::catalog(make).await;
}
