//! Objects and catalog as files of the data folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::embedded;
use crate::fsck::{assert_found, findings};
use crate::support::bytes::bytes_of;
use crate::support::store::Store;

/// A folder in the place of a file has a size and can be opened, but not be read.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_damage_and_no_reason_to_stop() {
    let mut app = embedded().await;
    app.create_local("l", "generic", json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let sample = folder.path().join("sample");
    std::fs::create_dir_all(sample.join("in it")).unwrap();
    let size = std::fs::metadata(&sample).unwrap().len();
    let body = bytes_of(1, usize::try_from(size).unwrap());
    app.put("l", "unreadable", body).await.expect(201);
    assert_eq!(app.stop(), Some(0));
    app.damaged();
    let mut store = Store::open(&app).await;
    let object = store.object("unreadable").await;
    let file = store.file(&object).await;
    store.close().await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in it")).unwrap();
    let ran = app.fsck(&["--rehash", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    assert_found(&ran, &[("wrong_digest", object.last().into())]);
}

/// All files and folders under a folder, with what is in the files.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
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
    let mut app = embedded().await;
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
async fn a_half_written_object_is_waste_and_goes_at_the_next_start() {
    let mut app = embedded().await;
    assert_eq!(app.stop(), Some(0));
    let store = Store::open(&app).await;
    let half = store.begin("halfwritten").await;
    store.close().await;
    let ran = app.fsck(&["--json"]);
    assert_eq!(ran.code, Some(0), "waste is no damage: {}", ran.output);
    assert_found(&ran, &[("half_written", half)]);
    app.restart().await;
    assert_eq!(findings(&app.fsck(&["--json"])).len(), 0);
}
