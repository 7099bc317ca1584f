//! `fsck`: planted damage of every kind, each reported exactly, and what a repair leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::process::{Ran, run};
use crate::support::script::Script;
use crate::support::store::Store;
use crate::support::upstream::Upstream;

/// What a run of `fsck --json` found: kinds with names.
pub(crate) fn findings(ran: &Ran) -> BTreeSet<(String, String)> {
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
pub(crate) fn assert_found(ran: &Ran, expected: &[(&str, String)]) {
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
async fn damage_of_every_kind_is_reported_exactly() {
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

    let mut store = Store::open(&app).await;
    let mut expected: Vec<(&str, String)> = Vec::new();
    let object = store.object("missing").await;
    store.remove(&object).await;
    expected.push(("missing_object", object.last().into()));

    let flipped = store.object("flipped").await;
    store.flip(&flipped, 25_000).await;

    let object = store.object("short").await;
    store.overwrite(&object, b"short").await;
    expected.push(("wrong_size", object.last().into()));

    let object = store.object("rowless").await;
    store.remove(&object).await;
    store
        .execute("DELETE FROM entries WHERE digest = $1", &[&object.digest])
        .await;
    expected.push(("row_without_object", object.last().into()));

    let object = store.object("linked").await;
    store
        .execute("DELETE FROM blobs WHERE digest = $1", &[&object.digest])
        .await;
    expected.push(("dangling_entry", "linked".into()));
    expected.push(("object_without_row", object.last().into()));

    let spool = store.folder("spool").join("left-by-a-dead-process");
    std::fs::write(&spool, b"spool").unwrap();
    expected.push(("stale_spool", last(&spool)));
    store.close().await;

    let quick = app.fsck(&["--json"]);
    assert_eq!(quick.code, Some(1), "{}", quick.output);
    assert_found(&quick, &expected);
    expected.push(("wrong_digest", flipped.last().into()));
    let thorough = app.fsck(&["--rehash", "--json"]);
    assert_eq!(thorough.code, Some(1), "{}", thorough.output);
    assert_found(&thorough, &expected);
    let again = app.fsck(&["--rehash", "--json"]);
    assert_found(&again, &expected);
}

#[tokio::test]
async fn waste_alone_is_no_damage_and_goes_at_the_next_start() {
    let mut app = App::start().await;
    assert_eq!(app.stop(), Some(0));
    let store = Store::open(&app).await;
    std::fs::write(store.folder("spool").join("left"), b"spool").unwrap();
    store.close().await;
    let ran = app.fsck(&["--json"]);
    assert_eq!((ran.code, findings(&ran).len()), (Some(0), 1), "{}", ran.output);
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
    let mut store = Store::open(&app).await;
    let [missing, flipped, short] = [
        store.object("missing").await,
        store.object("flipped").await,
        store.object("short").await,
    ];
    store.remove(&missing).await;
    store.overwrite(&flipped, &bytes_of(77, 50_000)).await;
    store.overwrite(&short, b"short").await;
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
