//! Secrets in a catalog on disk. What holds of every catalog is in the suite.

use std::path::PathBuf;
use std::sync::Arc;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::port::catalog::{Catalog, Created};
use artifactapi_core::{Repository, Time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use super::super::db::{Db, Query};
use super::*;
use crate::catalog::sqlite::Sqlite;
use crate::vault::KEY_FILE;

const CANARY: &str = "canary-hunter2";

/// A place for a catalog, and a file with keys.
struct Fresh(TempDir);

/// A catalog and the database under it.
struct Opened {
    catalog: Arc<dyn Catalog>,
    db: Db,
}

impl Opened {
    fn of(catalog: Sqlite) -> Self {
        let db = catalog.db.clone();
        Self {
            catalog: Arc::new(catalog),
            db,
        }
    }

    /// Changes rows behind the catalog's back.
    async fn run(&self, text: &'static str, value: Option<String>) {
        let query = value.into_iter().fold(Query::new(text), Query::bind);
        assert!(self.db.run(query).await.unwrap() > 0);
    }

    async fn close(self) {
        self.db.close().await;
    }
}

impl std::ops::Deref for Opened {
    type Target = dyn Catalog;

    fn deref(&self) -> &Self::Target {
        self.catalog.as_ref()
    }
}

impl Fresh {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("catalog.sqlite")
    }

    fn keys(&self, numbers: &[u8]) {
        let keys = numbers.iter().map(|number| STANDARD.encode([*number; 32]));
        let file = self.0.path().join("keys");
        std::fs::write(&file, keys.collect::<Vec<_>>().join("\n")).unwrap();
    }

    /// Opens the catalog with the keys of the file.
    async fn open(&self) -> Result<Opened, Fault> {
        let vault = Vault::read(&self.0.path().join("keys"))?;
        let catalog = Sqlite::open_with(&self.file(), SystemClock::shared(), Arc::new(vault)).await?;
        Ok(Opened::of(catalog))
    }

    /// Whether any file but those with keys holds the text.
    fn holds(&self, text: &str) -> bool {
        let holds = |file: std::fs::DirEntry| {
            let bytes = std::fs::read(file.path()).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        std::fs::read_dir(self.0.path()).unwrap().flatten().any(holds)
    }
}

/// A remote with a secret in every place.
fn remote(name: &str) -> Repository {
    let mirror = |host: &str| json!({"url": host, "username": "m", "password": format!("{CANARY}-{host}")});
    let settings = json!({
        "base_url": "http://up.example/", "username": "u",
        "password": format!("{CANARY}-password"), "token": format!("{CANARY}-token"),
        "mirrors": [mirror("http://a.example/"), mirror("http://b.example/")],
    });
    Repository {
        id: RepoId(uuid::Uuid::now_v7()),
        name: name.to_owned(),
        package_type: "generic".to_owned(),
        role: serde_json::from_value(json!({"remote": settings})).unwrap(),
        revision: 1,
        created_at: Time(1),
        updated_at: Time(2),
    }
}

fn counts(done: &Resealed) -> (u64, u64, u64) {
    (done.resealed, done.already, done.failed)
}

#[tokio::test]
async fn no_secret_is_in_any_file() {
    let fresh = Fresh::new();
    let db = Opened::of(Sqlite::open(&fresh.file()).await.unwrap());
    let mut one = remote("r");
    assert_eq!(db.create_repository(&one).await.unwrap(), Created::Done);
    one.revision = 2;
    assert!(db.replace_repository(&one, 1, false).await.unwrap());
    assert_eq!(db.repositories().await.unwrap(), [one]);
    assert!(
        fresh.holds("up.example") && fresh.holds("sealed:1:"),
        "the log is looked into"
    );
    assert!(!fresh.holds(CANARY));
    db.close().await;
    assert!(fresh.holds("up.example") && !fresh.holds(CANARY));
    assert!(fresh.0.path().join(KEY_FILE).is_file());
}

#[tokio::test]
async fn keys_that_open_nothing_are_refused_at_the_start() {
    let fresh = Fresh::new();
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    db.create_repository(&remote("r")).await.unwrap();
    db.close().await;
    fresh.keys(&[2]);
    let fault = fresh.open().await.err().unwrap();
    assert!(fault.what.contains("add that key"), "{fault:?}");
    let fault = Sqlite::open(&fresh.file()).await.err().unwrap();
    assert!(
        fault.what.contains("is missing") && fault.what.contains(KEY_FILE),
        "{fault:?}"
    );
    fresh.keys(&[2, 1]);
    let db = fresh.open().await.unwrap();
    assert_eq!(db.repositories().await.unwrap().len(), 1);
    db.close().await;
}

#[tokio::test]
async fn after_a_rotation_the_old_key_may_go() {
    let fresh = Fresh::new();
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    let all = [remote("a"), remote("b")];
    for one in &all {
        db.create_repository(one).await.unwrap();
    }
    assert_eq!(counts(&db.reseal().await.unwrap()), (0, 8, 0));
    fresh.keys(&[2, 1]);
    let done = db.reseal().await.unwrap();
    assert_eq!((counts(&done), done.reread), ((8, 0, 0), true));
    assert_eq!(counts(&db.reseal().await.unwrap()), (0, 8, 0));
    assert_eq!(
        db.repositories().await.unwrap(),
        all,
        "nothing but the form has changed"
    );
    assert!(
        db.replace_repository(
            &Repository {
                revision: 2,
                ..all[0].clone()
            },
            1,
            false
        )
        .await
        .unwrap()
    );
    db.close().await;
    fresh.keys(&[2]);
    let db = fresh.open().await.unwrap();
    assert_eq!(db.repositories().await.unwrap()[1], all[1]);
    db.close().await;
    fresh.keys(&[1]);
    assert!(fresh.open().await.is_err(), "the old key opens nothing any more");
}

#[tokio::test]
async fn what_no_key_opens_stays_sealed_and_spares_the_others() {
    let fresh = Fresh::new();
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    let (lost, other) = (remote("lost"), remote("other"));
    db.create_repository(&lost).await.unwrap();
    // Another server has sealed it with a key that this one does not know.
    let strange = Vault::given(&Secret(STANDARD.encode([9; 32]))).unwrap();
    let text = sealed(&strange, lost.id, &lost.role).unwrap();
    db.run("UPDATE repositories SET role = $1", Some(text)).await;
    db.create_repository(&other).await.unwrap();
    let read = db.repositories().await.unwrap();
    assert_eq!(read[1], other);
    assert_eq!(read[0].role.sealed().unwrap().1, strange.key());
    assert_eq!(counts(&db.reseal().await.unwrap()), (0, 4, 4));
    // What was not opened cannot be written back as if it were the secret.
    assert!(db.replace_repository(&read[0], 1, false).await.is_err());
    // The key is added to the file: nobody has to tell.
    fresh.keys(&[1, 9]);
    assert_eq!(db.repositories().await.unwrap(), [lost, other]);
    assert_eq!(counts(&db.reseal().await.unwrap()), (4, 4, 0));
    db.close().await;
}

#[tokio::test]
async fn a_secret_moved_to_another_row_does_not_open() {
    let fresh = Fresh::new();
    let db = Opened::of(Sqlite::open(&fresh.file()).await.unwrap());
    for name in ["a", "b"] {
        db.create_repository(&remote(name)).await.unwrap();
    }
    let moved =
        "UPDATE repositories SET role = (SELECT role FROM repositories WHERE name = 'a') WHERE name = 'b'";
    db.run(moved, None).await;
    let read = db.repositories().await.unwrap();
    assert!(read[0].role.sealed().is_none() && read[1].role.sealed().is_some());
    db.close().await;
}

#[tokio::test]
async fn plain_secrets_are_read_and_sealed_by_a_rotation() {
    let fresh = Fresh::new();
    let db = Opened::of(Sqlite::open(&fresh.file()).await.unwrap());
    let one = remote("r");
    db.create_repository(&one).await.unwrap();
    let plain = to_json(&one.role).unwrap();
    db.run("UPDATE repositories SET role = $1", Some(plain)).await;
    assert_eq!(db.repositories().await.unwrap(), [one.clone()]);
    assert_eq!(counts(&db.reseal().await.unwrap()), (4, 0, 0));
    let row = db
        .db
        .one(Query::new("SELECT role FROM repositories"))
        .await
        .unwrap();
    let resting: &str = row.get(0).unwrap();
    assert!(
        !resting.contains(CANARY) && resting.matches("sealed:1:").count() == 4,
        "{resting}"
    );
    assert_eq!(db.repositories().await.unwrap(), [one]);
    db.close().await;
}

#[tokio::test]
async fn changes_during_rotations_are_neither_lost_nor_undone() {
    let fresh = Fresh::new();
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    let mut one = remote("r");
    db.create_repository(&one).await.unwrap();
    let rotating = async {
        for round in 0..40_u8 {
            fresh.keys(&[round + 2, round + 1]);
            let done = db.reseal().await.unwrap();
            assert_eq!(done.failed, 0);
        }
    };
    let changing = async {
        for revision in 2..60 {
            one.revision = revision;
            one.role
                .secrets_mut(&mut |field, secret| secret.0 = format!("{field}-{revision}"));
            assert!(db.replace_repository(&one, revision - 1, false).await.unwrap());
            assert_eq!(db.repositories().await.unwrap(), [one.clone()]);
        }
    };
    futures_util::join!(rotating, changing);
    db.reseal().await.unwrap();
    db.close().await;
    fresh.keys(&[41]);
    let db = fresh.open().await.unwrap();
    assert_eq!(db.repositories().await.unwrap(), [one]);
    db.close().await;
}
