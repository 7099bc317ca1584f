//! The suite for catalogs.

mod blob_rows;
mod commits;
mod contention;
mod entries;
mod facts;
mod journal;
mod pages;
mod races;
mod repositories;

use std::sync::Arc;

use artifactapi_core::entry::{EntryKey, Lifetime};
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Fact, Subject};
use artifactapi_core::port::catalog::{Catalog, Commit, Committed, Guard, Pin};
use artifactapi_core::repository::Role;
use artifactapi_core::{Digest, Entry, Headers, Key, RepoId, Repository, Time};
use uuid::Uuid;

/// After every moment.
const EVER: Time = Time(i64::MAX);

/// Every promise of [`Catalog`].
pub async fn catalog<S: Catalog, F: Future<Output = S>>(make: impl Fn() -> F) {
    let suites = [
        repositories::cases(),
        entries::cases(),
        pages::cases(),
        commits::cases(),
        facts::cases(),
        blob_rows::cases(),
        journal::cases(),
        races::cases(),
        contention::cases(),
    ];
    let cases = suites.concat();
    super::run(make, &cases, |store| Box::pin(nothing_is_left(store))).await;
}

/// After a case: with its repositories gone and its blobs collected there is nothing.
async fn nothing_is_left(store: Arc<impl Catalog>) {
    assert!(!store.kind().is_empty());
    for repository in store.repositories().await.unwrap() {
        assert!(
            store
                .delete_repository(repository.id, repository.revision)
                .await
                .unwrap()
        );
    }
    assert_eq!(store.dangling(10).await.unwrap(), []);
    for blob in store.begin_deleting(EVER, 100_000).await.unwrap() {
        assert!(store.end_deleting(&blob.digest, &blob.object).await.unwrap());
    }
    assert_eq!(store.blobs(None, 10).await.unwrap(), []);
}

fn key(path: &str) -> Key {
    Key::new(path).unwrap()
}

/// A remote with every setting but one at its default.
fn remote(name: &str) -> Repository {
    let role = r#"{"remote": {"base_url": "http://up.example/", "token": "s3cret", "mutable_ttl": 77}}"#;
    repository(name, serde_json::from_str(role).unwrap())
}

fn repository(name: &str, role: Role) -> Repository {
    Repository {
        id: RepoId(Uuid::now_v7()),
        name: name.to_owned(),
        package_type: "generic".to_owned(),
        role,
        revision: 1,
        created_at: Time(1_000),
        updated_at: Time(2_000),
    }
}

/// Adds a remote; gives its id.
async fn added(store: &impl Catalog, name: &str) -> RepoId {
    let repository = remote(name);
    store.create_repository(&repository).await.unwrap();
    repository.id
}

/// A cached entry of these bytes, in an object of its own.
fn entry(repo: RepoId, path: &str, body: &str) -> Entry {
    let digest = Digest::sha256(body.as_bytes());
    Entry {
        id: EntryKey::new(repo, key(path)),
        object: ObjectName::blob(&digest, Uuid::now_v7()),
        digest,
        size: body.len() as u64,
        lifetime: Lifetime::Immutable,
        media: "text/plain".to_owned(),
        etag: None,
        last_modified: None,
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: Time(1_000_000),
        validated_at: Time(1_000_000),
        expires_at: None,
    }
}

/// The same as hosted.
fn hosted(repo: RepoId, path: &str, body: &str) -> Entry {
    Entry {
        lifetime: Lifetime::Hosted,
        ..entry(repo, path, body)
    }
}

/// A commit without conditions.
fn plain(entry: Entry) -> Commit {
    Commit {
        entry,
        revision: None,
        guard: Guard::None,
        pin: Pin::No,
        facts: None,
        quota: 0,
    }
}

/// Commits without conditions; gives the entry as it stands.
async fn put(store: &impl Catalog, entry: Entry) -> Entry {
    stored(store.commit(plain(entry)).await.unwrap())
}

/// The entry of a commit that must have succeeded.
fn stored(committed: Committed) -> Entry {
    match committed {
        Committed::Stored { entry, .. } => *entry,
        other => panic!("not stored: {other:?}"),
    }
}

async fn find(store: &impl Catalog, id: &EntryKey) -> Option<Entry> {
    store.entry(id).await.unwrap()
}

async fn remove(store: &impl Catalog, id: &EntryKey) -> Vec<Entry> {
    store.remove(&[(id.clone(), None)], false).await.unwrap()
}

fn fact(id: &str, package: &str, version: &str) -> Fact {
    Fact {
        id: id.to_owned(),
        url: format!("http://files.example/{id}"),
        digests: vec![Digest::sha256(id.as_bytes())],
        size: Some(7),
        subject: Subject {
            package: Some(package.to_owned()),
            version: Some(version.to_owned()),
        },
        published: None,
    }
}
