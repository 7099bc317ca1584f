use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Fact, Subject};
use artifactapi_core::port::catalog::{
    BlobRows as _, Commit, Entries as _, Facts as _, Guard, LogRow, Page, Pin,
};
use artifactapi_core::repository::Repository;
use artifactapi_core::{Digest, Headers, Key, RepoId, Time};

use super::*;
use crate::catalog::sqlite::Sqlite;

fn remote() -> Repository {
    let role = r#"{"remote": {"base_url": "http://up.example/", "token": "s3cret"}}"#;
    Repository {
        id: RepoId(uuid::Uuid::now_v7()),
        name: "files".to_owned(),
        package_type: "generic".to_owned(),
        role: serde_json::from_str(role).unwrap(),
        revision: 3,
        created_at: Time(1),
        updated_at: Time(2),
    }
}

fn commit(repo: RepoId, n: usize) -> Commit {
    let digest = Digest::sha256(format!("body {}", n % 100).as_bytes());
    let entry = Entry {
        id: EntryKey::new(repo, Key::new(format!("ä/{n}")).unwrap()),
        object: ObjectName::blob(&digest, uuid::Uuid::now_v7()),
        digest,
        size: 7,
        lifetime: Lifetime::Immutable,
        media: "text/plain".to_owned(),
        etag: n.is_multiple_of(2).then(|| "\"x\"".to_owned()),
        last_modified: None,
        kept: Headers::new(),
        source_url: Some("http://up.example/".to_owned()),
        proven: n.is_multiple_of(3),
        fetched_at: Time(10),
        validated_at: Time(11),
        expires_at: n.is_multiple_of(5).then_some(Time(12)),
    };
    let fact = Fact {
        id: format!("file {n}"),
        url: "http://up.example/f".to_owned(),
        digests: vec![Digest::sha256(b"f")],
        size: None,
        subject: Subject {
            package: Some("p".to_owned()),
            version: Some(n.to_string()),
        },
        published: Some((Time(5), "upload-time".to_owned())),
    };
    Commit {
        entry,
        revision: None,
        guard: Guard::None,
        pin: Pin::Hold,
        facts: n.is_multiple_of(10).then(|| vec![fact]),
        quota: 0,
    }
}

fn log_row(n: u64) -> LogRow {
    LogRow {
        at: Time(1_000_000),
        repo: "files".into(),
        method: "GET",
        path: format!("ä/{n}").into(),
        status: 200,
        outcome: "hit",
        hit: true,
        bytes: n,
        micros: 3,
    }
}

async fn filled(catalog: &Sqlite, entries: usize) -> Repository {
    let repository = remote();
    catalog.create_repository(&repository).await.unwrap();
    for n in 0..entries {
        catalog.commit(commit(repository.id, n)).await.unwrap();
    }
    let rows: Vec<_> = (0..50).map(log_row).collect();
    catalog.record(&rows, &[]).await.unwrap();
    for name in ["name", INSTALLATION] {
        catalog.settle(name, "value").await.unwrap();
    }
    repository
}

/// Everything that the port tells of a catalog.
async fn told<D: Dialect>(catalog: &Tables<D>, repo: RepoId) -> String {
    let page = Page {
        limit: 10_000,
        ..Page::default()
    };
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        catalog.repositories().await.unwrap(),
        catalog.page(repo, &page).await.unwrap(),
        catalog.blobs(None, 10_000).await.unwrap(),
        catalog.statistics(Time(0)).await.unwrap(),
        catalog.setting("name").await.unwrap(),
        catalog.ledger(repo, "p", "20").await.unwrap(),
        catalog
            .fact(repo, &Key::new("ä/20").unwrap(), "file 20")
            .await
            .unwrap(),
    )
}

async fn at(folder: &std::path::Path, name: &str) -> Sqlite {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    Sqlite::open(&folder.join("c.sqlite")).await.unwrap()
}

#[tokio::test]
async fn a_copy_says_what_the_original_says_whatever_came_between() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (at(folder.path(), "a").await, at(folder.path(), "b").await);
    let repository = filled(&from, 2_300).await;
    begin(&to, "source").await.unwrap();
    let first = ALL.first().unwrap();
    copy(&from.db, &to.db, first).await.unwrap();
    assert_eq!(count(&to.db, first).await.unwrap(), 100);

    begin(&to, "source").await.unwrap();
    let copied = rows(&from, &to).await.unwrap();
    assert!(copied.contains(&("blobs", 0)), "{copied:?}");
    assert!(copied.contains(&("entries", 2_300)), "{copied:?}");
    assert!(copied.contains(&("access_log", 50)), "{copied:?}");
    assert!(rows(&from, &to).await.unwrap().iter().all(|(_, rows)| *rows == 0));
    assert_eq!(to.setting(MARK).await.unwrap().as_deref(), Some("source"));
    end(&to).await.unwrap();
    assert_eq!(told(&to, repository.id).await, told(&from, repository.id).await);
    for left in [MARK, INSTALLATION, "import.blobs", "import.settings"] {
        assert_eq!(to.setting(left).await.unwrap(), None, "{left}");
    }
    assert_eq!(
        to.pinned(&commit(repository.id, 7).entry.id).await.unwrap(),
        Some(commit(repository.id, 7).entry.digest)
    );
}

#[tokio::test]
async fn a_target_in_use_or_of_another_source_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (used, marked) = (at(folder.path(), "a").await, at(folder.path(), "b").await);
    filled(&used, 1).await;
    assert_eq!(begin(&used, "source").await.unwrap_err().kind, Kind::Conflict);
    begin(&marked, "source").await.unwrap();
    assert_eq!(begin(&marked, "another").await.unwrap_err().kind, Kind::Conflict);
}

#[tokio::test]
async fn a_source_that_changed_between_two_runs_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (at(folder.path(), "a").await, at(folder.path(), "b").await);
    let repository = filled(&from, 20).await;
    rows(&from, &to).await.unwrap();
    let gone = commit(repository.id, 3).entry.id;
    from.remove(&[(gone, None)], false).await.unwrap();
    assert_eq!(rows(&from, &to).await.unwrap_err().kind, Kind::Conflict);
}
