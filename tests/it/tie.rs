//! Programs whose settings name a catalog and blobs that do not belong together: they do not serve, and nothing is lost.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::app::App;
use crate::support::parts::Parts;
use crate::support::process::run_with;

/// Serves on other stores than its own; gives what it said when it ended.
fn refused(app: &App, env: &BTreeMap<String, String>) -> String {
    let folder = app.data().to_str().expect("a plain path");
    let ran = run_with(env, &["serve", "--listen", "127.0.0.1:0", "--data-dir", folder]);
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    assert!(ran.output.contains("different installations"), "{}", ran.output);
    ran.output
}

/// The environment of one program, with a variable of another's.
fn with(one: &App, name: &str, other: &App) -> BTreeMap<String, String> {
    let mut env = one.shared().env();
    env.insert(name.into(), other.shared().env()[name].clone());
    env
}

/// A program with an object of its own.
async fn with_object(parts: Parts) -> App {
    let app = App::setup().on(parts).start().await;
    app.create_local("l", "generic", json!({})).await;
    app.put("l", "a", "bytes").await.expect(201);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_database_or_bucket_is_refused() {
    let here = with_object(Parts::ALL).await;
    let mut there = with_object(Parts::ALL).await;
    there.stop();
    for name in ["DBNAME", "MINIO_BUCKET"] {
        refused(&there, &with(&there, name, &here));
    }
    here.read("l", "a").await.expect_bytes(b"bytes");
    there.restart().await;
    there.read("l", "a").await.expect_bytes(b"bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_on_a_bucket_in_use_is_refused() {
    let here = with_object(Parts::ALL).await;
    let mut empty = App::setup().on(Parts::POSTGRESQL).start().await;
    empty.stop();
    refused(&empty, &with(&here, "DBNAME", &empty));
    here.read("l", "a").await.expect_bytes(b"bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_replica_with_a_folder_of_its_own_is_refused() {
    let first = with_object(Parts::POSTGRESQL).await;
    let mut second = App::setup().on(Parts::EMBEDDED).start().await;
    second.stop();
    let said = refused(&second, &first.shared().env());
    assert!(said.contains("store.data_dir"), "{said}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().to_str().expect("a plain path");
    let ran = run_with(&first.shared().env(), &["migrate", "--data-dir", place]);
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    first.read("l", "a").await.expect_bytes(b"bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_restored_without_its_name_gets_it_back() {
    let mut app = with_object(Parts::EMBEDDED).await;
    app.stop();
    let name = app.data().join("installation");
    let before = std::fs::read(&name).expect("a name");
    std::fs::remove_file(&name).expect("it is gone");
    app.restart().await;
    app.read("l", "a").await.expect_bytes(b"bytes");
    assert_eq!(std::fs::read(&name).expect("a name"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_lost_its_name_gets_it_back_from_a_catalog_whose_objects_it_has() {
    let app = with_object(Parts::ALL).await;
    let bucket = app.shared().bucket();
    let named = bucket.get_object("installation").await.expect("a name");
    bucket.delete_object("installation").await.expect("it is gone");
    let other = app.replica().await;
    other.read("l", "a").await.expect_bytes(b"bytes");
    let again = bucket.get_object("installation").await.expect("a name");
    assert_eq!(again.as_slice(), named.as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_removes_nothing_from_the_bucket_of_another_catalog() {
    let app = App::setup()
        .on(Parts::ALL)
        .env("ARTIFACTAPI_GC_ORPHAN_GRACE", "0")
        .start()
        .await;
    let bucket = app.shared().bucket();
    let orphan = "uploads/0199aabbccddeeff0011223344556677";
    bucket.put_object(orphan, b"bytes").await.expect("an orphan");
    let name = bucket.get_object("installation").await.expect("a name");
    let other = b"01990000-0000-7000-8000-000000000000";
    bucket.put_object("installation", other).await.expect("another");
    let collect = || app.admin(reqwest::Method::POST, "/api/v2/gc", json!({"grace_seconds": 0}));
    let report = collect().await.text();
    assert!(report.contains("different installations"), "{report}");
    bucket.get_object(orphan).await.expect("it is left alone");
    let back = bucket.put_object("installation", name.as_slice());
    back.await.expect("its own name");
    let report = collect().await.json();
    assert_eq!(report["orphans"], 1, "{report}");
}
