//! `fsck`: eight kinds of planted damage, each reported exactly, and what a repair leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::process::{Ran, run};
use crate::support::script::Script;
use crate::support::store::Store;
use crate::support::upstream::Upstream;

/// What a run of `fsck --json` found: kinds with names.
fn findings(ran: &Ran) -> BTreeSet<(String, String)> {
    let from = ran
        .output
        .find('{')
        .unwrap_or_else(|| panic!("no report: {}", ran.output));
    let mut documents = serde_json::Deserializer::from_str(&ran.output[from..]).into_iter::<Value>();
    let report = documents.next().expect("a report").expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .map(|finding| (text(finding, "kind"), text(finding, "name")))
        .collect()
}

fn last(path: &std::path::Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Whether exactly these kinds were found, each with a name that holds the word beside it.
fn assert_found(ran: &Ran, expected: &[(&str, String)]) {
    let found = findings(ran);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (kind, word) in expected {
        let hit = found
            .iter()
            .any(|(found, name)| found == kind && name.contains(word.as_str()));
        assert!(hit, "{kind} {word} is not in {found:#?}");
    }
}

#[tokio::test]
async fn eight_kinds_of_damage_are_each_reported_exactly() {
    let mut app = App::start().await;
    app.create_local("l", "generic", json!({})).await;
    for (seed, name) in ["missing", "flipped", "short", "rowless", "linked", "gone"]
        .into_iter()
        .enumerate()
    {
        app.put("l", name, bytes_of(seed as u64, 50_000))
            .await
            .expect(201);
    }
    let clean = app.fsck(&["--rehash", "--json"]);
    assert_eq!(
        (clean.code, findings(&clean).len()),
        (Some(0), 0),
        "beside a server: {}",
        clean.output
    );
    assert_eq!(app.stop(), Some(0));
    app.damaged();

    let mut store = Store::open(app.data()).await;
    let mut expected = Vec::new();
    let (_, file) = store.object("missing").await;
    std::fs::remove_file(&file).unwrap();
    expected.push(("missing_object", last(&file)));

    let (_, flipped) = store.object("flipped").await;
    let mut bytes = std::fs::read(&flipped).unwrap();
    bytes[25_000] ^= 1;
    std::fs::write(&flipped, bytes).unwrap();

    let (_, file) = store.object("short").await;
    std::fs::write(&file, b"short").unwrap();
    expected.push(("wrong_size", last(&file)));

    let (digest, file) = store.object("rowless").await;
    std::fs::remove_file(&file).unwrap();
    store
        .execute("DELETE FROM entries WHERE digest = $1", &[&digest])
        .await;
    expected.push(("row_without_object", last(&file)));

    let (digest, file) = store.object("linked").await;
    store
        .execute("DELETE FROM blobs WHERE digest = $1", &[&digest])
        .await;
    expected.push(("dangling_entry", "linked".into()));
    expected.push(("object_without_row", last(&file)));

    let spool = store.folder("spool").join("left-by-a-dead-process");
    std::fs::write(&spool, b"spool").unwrap();
    expected.push(("stale_spool", last(&spool)));

    let half = store.folder("tmp").join("half-written");
    std::fs::write(&half, b"half").unwrap();
    expected.push(("half_written", last(&half)));
    store.close().await;

    let quick = app.fsck(&["--json"]);
    assert_eq!(quick.code, Some(1), "{}", quick.output);
    assert_found(&quick, &expected);
    expected.push(("wrong_digest", last(&flipped)));
    let thorough = app.fsck(&["--rehash", "--json"]);
    assert_eq!(thorough.code, Some(1), "{}", thorough.output);
    assert_found(&thorough, &expected);
    let again = app.fsck(&["--rehash", "--json"]);
    assert_found(&again, &expected);
}

/// A folder in the place of a file has a size and can be opened, but not be read.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_damage_and_no_reason_to_stop() {
    let mut app = App::start().await;
    app.create_local("l", "generic", json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let sample = folder.path().join("sample");
    std::fs::create_dir_all(sample.join("in it")).unwrap();
    let size = std::fs::metadata(&sample).unwrap().len();
    let body = bytes_of(1, usize::try_from(size).unwrap());
    app.put("l", "unreadable", body).await.expect(201);
    assert_eq!(app.stop(), Some(0));
    app.damaged();
    let mut store = Store::open(app.data()).await;
    let (_, file) = store.object("unreadable").await;
    store.close().await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in it")).unwrap();
    let ran = app.fsck(&["--rehash", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    assert_found(&ran, &[("wrong_digest", last(&file))]);
}

/// All files and folders under a folder, with what is in the files.
fn everything(folder: &std::path::Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
                found.insert(path, None);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, Some(bytes));
            }
        }
    }
    found
}

#[tokio::test]
async fn looking_changes_nothing_and_makes_nothing() {
    let mut app = App::start().await;
    app.create_local("l", "generic", json!({})).await;
    app.put("l", "a", bytes_of(1, 50_000)).await.expect(201);
    assert_eq!(app.stop(), Some(0));
    for empty in ["spools", "tmp"] {
        std::fs::remove_dir(app.data().join(empty)).unwrap();
    }
    let before = everything(app.data());
    let ran = app.fsck(&["--rehash"]);
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    let after = everything(app.data());
    let names = |all: &BTreeMap<PathBuf, Option<Vec<u8>>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(before == after, "a file has other bytes");
}

#[tokio::test]
async fn waste_alone_is_no_damage_and_goes_at_the_next_start() {
    let mut app = App::start().await;
    assert_eq!(app.stop(), Some(0));
    let store = Store::open(app.data()).await;
    std::fs::write(store.folder("spool").join("left"), b"spool").unwrap();
    std::fs::write(store.folder("tmp").join("left"), b"half").unwrap();
    store.close().await;
    let ran = app.fsck(&["--json"]);
    assert_eq!((ran.code, findings(&ran).len()), (Some(0), 2), "{}", ran.output);
    app.restart().await;
    // That nothing is left is looked at when the program ends.
}

#[tokio::test]
async fn a_repair_forgets_damaged_copies_and_they_are_fetched_again() {
    let upstream = Upstream::start();
    let mut app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    let names = ["missing", "flipped", "short", "sound"];
    for (seed, name) in names.into_iter().enumerate() {
        let body = bytes_of(seed as u64, 50_000);
        upstream.set(&format!("/{name}"), Script::new(body.clone()));
        app.read("g", name).await.expect_bytes(&body);
        app.stored("g", name).await;
    }
    assert_eq!(app.stop(), Some(0));
    let mut store = Store::open(app.data()).await;
    std::fs::remove_file(store.object("missing").await.1).unwrap();
    std::fs::write(store.object("flipped").await.1, bytes_of(77, 50_000)).unwrap();
    std::fs::write(store.object("short").await.1, b"short").unwrap();
    store.close().await;
    assert_eq!(app.fsck(&["--repair", "--rehash"]).code, Some(0));
    let after = app.fsck(&["--rehash", "--json"]);
    assert_eq!(
        (after.code, findings(&after).len()),
        (Some(0), 0),
        "{}",
        after.output
    );
    app.restart().await;
    for (seed, name) in names.into_iter().enumerate() {
        app.read("g", name)
            .await
            .expect_bytes(&bytes_of(seed as u64, 50_000));
    }
    assert_eq!(upstream.hits("/sound").len(), 1);
    assert_eq!(upstream.hits("/missing").len(), 2);
}

#[tokio::test]
async fn fsck_says_when_it_could_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let ran = run(&["fsck", "--data-dir", nowhere.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{}", ran.output);
    let app = App::start().await;
    let beside = app.fsck(&["--repair"]);
    assert_eq!(
        beside.code,
        Some(2),
        "a repair beside a server: {}",
        beside.output
    );
}
