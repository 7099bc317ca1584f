use std::fs;
use std::path::Path;

use artifactapi_core::key::ObjectName;
use artifactapi_store::catalog::transfer::INSTALLATION;
use artifactapi_store::vault::KEY_FILE;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

fn config(folder: &TempDir) -> Config {
    let mut config = Config::default();
    folder.path().clone_into(&mut config.store.data_dir);
    config
}

async fn opened(folder: &TempDir) -> Result<Option<String>, Fault> {
    let stores = Stores::open(&config(folder)).await?;
    let name = stores.catalog.setting(INSTALLATION).await;
    stores.close().await;
    name
}

/// Why a folder is not opened.
async fn refused(folder: &TempDir) -> String {
    opened(folder).await.unwrap_err().what
}

/// A folder that was opened once, with an object in it.
async fn used() -> TempDir {
    let folder = TempDir::new().unwrap();
    opened(&folder).await.unwrap();
    let shard = folder.path().join("uploads/0199aa");
    fs::create_dir_all(&shard).unwrap();
    fs::write(shard.join("0199aabbcc"), "bytes").unwrap();
    folder
}

fn named(folder: &TempDir) -> Option<String> {
    fs::read_to_string(folder.path().join(ObjectName::INSTALLATION)).ok()
}

fn without_catalog(folder: &Path) {
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with("catalog.sqlite") {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

#[tokio::test]
async fn the_first_start_ties_them_and_the_next_finds_them_tied() {
    let folder = TempDir::new().unwrap();
    let name = opened(&folder).await.unwrap();
    assert_eq!(named(&folder), name);
    assert!(name.is_some());
    assert_eq!(opened(&folder).await.unwrap(), name);
}

#[tokio::test]
async fn a_new_catalog_beside_the_objects_of_another_is_refused_until_they_are_given_up() {
    let folder = used().await;
    without_catalog(folder.path());
    let why = refused(&folder).await;
    assert!(why.contains("the catalog is new"), "{why}");
    assert!(Stores::open_read_only(&config(&folder)).await.is_err());
    fs::remove_file(folder.path().join(ObjectName::INSTALLATION)).unwrap();
    opened(&folder).await.unwrap();
}

#[tokio::test]
async fn the_catalog_of_another_installation_is_refused_for_reading_too() {
    let (folder, other) = (used().await, used().await);
    without_catalog(folder.path());
    for name in ["catalog.sqlite", KEY_FILE] {
        fs::copy(other.path().join(name), folder.path().join(name)).unwrap();
    }
    let why = refused(&folder).await;
    assert!(why.contains(&named(&folder).unwrap()), "{why}");
    assert!(why.contains(&named(&other).unwrap()), "{why}");
    assert!(Stores::open_read_only(&config(&folder)).await.is_err());
}

#[tokio::test]
async fn a_catalog_whose_objects_lie_elsewhere_is_refused_until_it_goes_on_without_them() {
    let folder = used().await;
    let object = folder.path().join(ObjectName::INSTALLATION);
    let name = named(&folder).unwrap();
    fs::remove_file(&object).unwrap();
    let why = refused(&folder).await;
    assert!(why.contains(&name), "{why}");
    fs::write(&object, format!("{name}\n")).unwrap();
    opened(&folder).await.unwrap();
}

#[tokio::test]
async fn a_start_that_died_between_naming_the_two_is_made_good() {
    let folder = TempDir::new().unwrap();
    let name = Uuid::now_v7().to_string();
    fs::write(folder.path().join(ObjectName::INSTALLATION), &name).unwrap();
    assert_eq!(opened(&folder).await.unwrap(), Some(name));
}

#[tokio::test]
async fn what_is_no_name_ties_nothing() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(ObjectName::INSTALLATION), "").unwrap();
    let why = refused(&folder).await;
    assert!(why.contains("no name"), "{why}");
}
