//! Secrets in a catalog on disk. What holds of every catalog is in the suite.

mod place;

use artifactapi_core::port::catalog::Created;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::place::{CANARY, Fresh, Opened, remote};
use super::super::db::Query;
use super::super::sqlite::Sqlite;
use super::*;
use crate::vault::KEY_FILE;

/// Tests that hold on either database.
macro_rules! on_both {
    ($($name:ident,)+) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::Fresh::new()).await;
            })+
        }

        mod postgresql {
            $(#[tokio::test]
            async fn $name() {
                let fresh = super::Fresh::on_server().await;
                super::$name(&fresh).await;
                fresh.remove().await;
            })+
        }
    };
}

on_both! {
    keys_that_open_nothing_are_refused_at_the_start,
    after_a_rotation_the_old_key_may_go,
    what_no_key_opens_stays_sealed_and_spares_the_others,
    a_secret_moved_to_another_row_does_not_open,
    plain_secrets_are_read_and_sealed_by_a_rotation,
    changes_during_rotations_are_neither_lost_nor_undone,
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

async fn keys_that_open_nothing_are_refused_at_the_start(fresh: &Fresh) {
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    db.create_repository(&remote("r")).await.unwrap();
    db.close().await;
    fresh.keys(&[2]);
    let fault = fresh.open().await.err().unwrap();
    assert!(fault.what.contains("add that key"), "{fault:?}");
    fresh.keys(&[2, 1]);
    let db = fresh.open().await.unwrap();
    assert_eq!(db.repositories().await.unwrap().len(), 1);
    db.close().await;
}

#[tokio::test]
async fn a_lost_key_that_sealed_nothing_is_replaced() {
    let fresh = Fresh::new();
    let key = fresh.0.path().join(KEY_FILE);
    for _ in 0..2 {
        let db = Opened::of(Sqlite::open(&fresh.file()).await.unwrap());
        assert_eq!(db.repositories().await.unwrap(), []);
        db.close().await;
        std::fs::remove_file(&key).unwrap();
    }
    let db = Opened::of(Sqlite::open(&fresh.file()).await.unwrap());
    db.create_repository(&remote("r")).await.unwrap();
    db.close().await;
    std::fs::remove_file(&key).unwrap();
    let fault = Sqlite::open(&fresh.file()).await.err().unwrap();
    assert!(
        fault.what.contains("is missing") && fault.what.contains(KEY_FILE),
        "{fault:?}"
    );
    assert!(!key.exists(), "the lost one can still be put back");
}

async fn after_a_rotation_the_old_key_may_go(fresh: &Fresh) {
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

async fn what_no_key_opens_stays_sealed_and_spares_the_others(fresh: &Fresh) {
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

async fn a_secret_moved_to_another_row_does_not_open(fresh: &Fresh) {
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
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

async fn plain_secrets_are_read_and_sealed_by_a_rotation(fresh: &Fresh) {
    fresh.keys(&[1]);
    let db = fresh.open().await.unwrap();
    let one = remote("r");
    db.create_repository(&one).await.unwrap();
    let plain = to_json(&one.role).unwrap();
    db.run("UPDATE repositories SET role = $1", Some(plain)).await;
    assert_eq!(db.repositories().await.unwrap(), std::slice::from_ref(&one));
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

async fn changes_during_rotations_are_neither_lost_nor_undone(fresh: &Fresh) {
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
            assert_eq!(db.repositories().await.unwrap(), std::slice::from_ref(&one));
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
