//! What PostgreSQL adds to the port, on a real server from `IT_POSTGRES_URL`; with a server of the test's own where it
//! has to suffer.

mod faults;
mod server;
mod wire;

use artifactapi_core::port::catalog::{Catalog as _, Journal as _, Repositories as _};
use sqlx::Executor as _;
use sqlx::SqlSafeStr as _;

use super::super::db::{End, transaction};
use super::super::sql;
use super::testing::Place;
use super::*;

#[tokio::test]
async fn every_statement_is_prepared_on_a_fresh_database() {
    let place = Place::new().await;
    place.open().await.close().await;
    let mut connection = place.connection().await;
    for (name, text) in sql::ALL {
        for rows in [1, 3, 200] {
            let text = sqlx::AssertSqlSafe(sql::for_rows(text, rows)).into_sql_str();
            let prepared = (&mut connection).prepare(text).await;
            assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
        }
    }
    drop(connection);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_its_port() {
    let place = Place::new().await;
    let catalog = place.open_warm(8).await;
    crate::conformance::catalog(|| place.emptied(&catalog)).await;
    catalog.close().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    let place = Place::new().await;
    let all = futures_util::future::join_all((0..8).map(|_| place.try_open())).await;
    for db in all {
        assert_eq!(db.unwrap().repositories().await.unwrap(), []);
    }
    assert_eq!(place.run("SELECT * FROM schema_migrations").await, 1);
    place.remove().await;
}

#[tokio::test]
async fn opening_again_keeps_everything_and_needs_no_right_to_change_tables() {
    let place = Place::new().await;
    let db = place.open().await;
    assert_eq!((db.kind(), db.is_shared()), ("postgresql", true));
    db.settle("name", "value").await.unwrap();
    db.close().await;
    let user = format!("u{}", &place.settings.database);
    let rights = format!(
        "CREATE USER {user} PASSWORD 'pass'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
    );
    place.run(&rights).await;
    let settings = Postgresql {
        user: user.clone(),
        password: Some(artifactapi_core::repository::Secret("pass".to_owned())),
        ..place.settings.clone()
    };
    let db = place.try_open_as(&settings).await.unwrap();
    assert_eq!(db.setting("name").await.unwrap().as_deref(), Some("value"));
    db.close().await;
    place
        .run(&format!("DROP OWNED BY {user}; DROP USER {user}"))
        .await;
    place.remove().await;
}

#[tokio::test]
async fn a_newer_catalog_or_one_with_another_history_is_refused() {
    let place = Place::new().await;
    place.open().await.close().await;
    for (change, what) in [
        (
            "INSERT INTO schema_migrations VALUES (2, 'later', 'sha256:00', 0)",
            "newer version",
        ),
        (
            "DELETE FROM schema_migrations WHERE version = 2; \
          UPDATE schema_migrations SET checksum = 'sha256:00'",
            "migration 1",
        ),
    ] {
        place.run(change).await;
        for opened in [
            place.try_open().await,
            Postgres::open_read_only(&place.settings, &place.io).await,
        ] {
            let fault = opened.err().unwrap();
            assert_eq!(fault.kind, Kind::StoreUnavailable);
            assert!(fault.what.contains(what), "{fault:?}");
        }
    }
    place.remove().await;
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    let broken = migrate::Migration::test(2, "CREATE TABLE more (a text); CREATE TABLE blobs (a text);");
    let known = [migrate::POSTGRESQL[0].clone(), broken];
    assert!(
        migrate::apply(&db.db, &known, artifactapi_core::Time(0))
            .await
            .is_err()
    );
    assert_eq!(
        place
            .run("SELECT * FROM pg_tables WHERE tablename = 'more'")
            .await,
        0
    );
    assert!(migrate::is_current(&db.db, migrate::POSTGRESQL).await.unwrap());
    db.close().await;
    place.remove().await;
}

#[tokio::test]
async fn a_catalog_that_is_only_read_is_not_written() {
    let place = Place::new().await;
    let fault = Postgres::open_read_only(&place.settings, &place.io)
        .await
        .err()
        .unwrap();
    assert!(fault.what.contains("not migrated"), "{fault:?}");
    assert_eq!(
        place
            .run("SELECT * FROM pg_tables WHERE schemaname = 'public'")
            .await,
        0
    );
    let server = place.open().await;
    let beside = Postgres::open_read_only(&place.settings, &place.io)
        .await
        .unwrap();
    server.settle("name", "value").await.unwrap();
    assert_eq!(beside.setting("name").await.unwrap().as_deref(), Some("value"));
    let fault = beside.settle("other", "value").await.unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable);
    beside.close().await;
    server.close().await;
    place.remove().await;
}

#[tokio::test]
async fn a_database_that_does_not_hold_every_key_is_refused() {
    let place = Place::made("ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0").await;
    let fault = place.try_open().await.err().unwrap();
    assert!(fault.what.contains("SQL_ASCII"), "{fault:?}");
    place.remove().await;
}

#[tokio::test]
async fn connections_say_who_they_are_and_are_bounded_on_the_server() {
    let place = Place::new().await;
    let careless = format!(
        "ALTER DATABASE {} SET synchronous_commit = off",
        place.settings.database
    );
    place.run(&careless).await;
    let db = place.open_warm(4).await;
    for (name, value) in [
        ("application_name", "artifactapi"),
        ("synchronous_commit", "on"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "4500ms"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("transaction_isolation", "read committed"),
    ] {
        let row = db
            .db
            .one(Query::new("SELECT current_setting($1)").bind(name))
            .await
            .unwrap();
        assert_eq!(row.get::<&str>(0).unwrap(), value, "{name}");
    }
    db.close().await;
    assert!(db.repositories().await.is_err(), "closed");
    place.remove().await;
}

#[tokio::test]
async fn text_that_the_server_cannot_hold_is_kept_in_another_form() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    db.settle("na\0me", "a\0value").await.unwrap();
    assert_eq!(
        db.setting("na\0me").await.unwrap().as_deref(),
        Some("a\u{fffd}value")
    );
    db.close().await;
    place.remove().await;
}

/// Two transactions that want the same rows in opposite order: the server ends one, which begins again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_deadlock_begins_again() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    for name in ["1", "2"] {
        db.settle(name, "").await.unwrap();
    }
    let both_have_one = tokio::sync::Barrier::new(2);
    let append = |first, second| {
        let (db, both_have_one) = (&db, &both_have_one);
        async move {
            let mut begun = 0;
            let done: Result<u32, Fault> = transaction!(db.db, |tx| async {
                begun += 1;
                for name in [first, second] {
                    let append = Query::new("UPDATE settings SET value = value || $1 WHERE name = $2");
                    tx.run(append.bind(first).bind(name)).await?;
                    if begun == 1 && name == first {
                        both_have_one.wait().await;
                    }
                }
                Ok(End::Commit(begun))
            });
            done.unwrap()
        }
    };
    let (one, two) = tokio::join!(append("1", "2"), append("2", "1"));
    assert_eq!(one + two, 3, "one of them began again, once");
    for name in ["1", "2"] {
        let value = db.setting(name).await.unwrap().unwrap();
        assert!(value == "12" || value == "21", "{value}");
    }
    db.close().await;
    place.remove().await;
}
