//! What the folder promises beyond its port.

use std::os::unix::fs::PermissionsExt as _;

use artifactapi_core::Digest;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::*;

const EVER: Time = Time(i64::MAX);

fn folder() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path().join("objects")).unwrap();
    (dir, folder)
}

fn object(n: u128) -> ObjectName {
    ObjectName::blob(&Digest::sha256(&n.to_be_bytes()), Uuid::from_u128(n))
}

async fn put(folder: &Folder, object: &ObjectName, bytes: &'static [u8]) {
    let mut writer = folder.create(object).await.unwrap();
    writer.write(Bytes::from_static(bytes)).await.unwrap();
    assert_eq!(writer.commit().await.unwrap(), bytes.len() as u64);
}

fn temporaries(folder: &Folder) -> usize {
    fs::read_dir(&folder.inner.tmp).unwrap().count()
}

#[tokio::test]
async fn objects_lie_where_the_layout_says() {
    let (dir, folder) = folder();
    let (name, upload) = (object(1), ObjectName::upload(Uuid::from_u128(0x0199_aabb << 96)));
    put(&folder, &name, b"x").await;
    put(&folder, &upload, b"y").await;
    let hex = Digest::sha256(&1_u128.to_be_bytes()).hex().to_owned();
    let generation = Uuid::from_u128(1).simple();
    let at = format!("objects/blobs/sha256/{}/{hex}_{generation}", &hex[..2]);
    assert_eq!(fs::read(dir.path().join(at)).unwrap(), b"x");
    let id = Uuid::from_u128(0x0199_aabb << 96).simple();
    assert_eq!(
        fs::read(dir.path().join(format!("objects/uploads/0199aa/{id}"))).unwrap(),
        b"y"
    );
    assert_eq!(temporaries(&folder), 0);
}

#[tokio::test]
async fn names_that_are_no_objects_are_never_written_and_never_found() {
    let (_dir, folder) = folder();
    for bad in [
        "",
        "uploads/../../escape",
        "/etc/passwd",
        "blobs/sha256/ab/../../x",
        "tmp/abcdef",
    ] {
        let bad = ObjectName::stored(bad);
        assert_eq!(folder.create(&bad).await.err().unwrap().kind, Kind::Internal);
        assert!(folder.open(&bad, None).await.unwrap().is_none());
        assert!(folder.source(&bad).await.unwrap().is_none());
        assert_eq!(folder.size(&bad).await.unwrap(), None);
        assert!(!folder.delete(&bad).await.unwrap());
    }
}

#[tokio::test]
async fn a_reader_keeps_an_object_that_is_deleted_under_it() {
    let (_dir, folder) = folder();
    let name = object(1);
    let body: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut writer = folder.create(&name).await.unwrap();
    writer.write(body.clone().into()).await.unwrap();
    writer.commit().await.unwrap();
    let mut stream = folder.open(&name, None).await.unwrap().unwrap();
    let mut read = stream.try_next().await.unwrap().unwrap().to_vec();
    assert!(folder.delete(&name).await.unwrap());
    while let Some(piece) = stream.try_next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == body);
    assert!(folder.open(&name, None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_truncated_object_never_ends_like_a_whole_one() {
    static BODY: [u8; 1_000_000] = [7; 1_000_000];
    let (_dir, folder) = folder();
    let name = object(1);
    put(&folder, &name, &BODY).await;
    let file = File::options()
        .write(true)
        .open(folder.inner.path(&name).unwrap())
        .unwrap();
    let stream = folder.open(&name, Some(0..1_000_000)).await.unwrap().unwrap();
    file.set_len(900_000).unwrap();
    let fault = stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(fault.kind, Kind::Internal, "cut while it was read");
    let again = folder.open(&name, Some(0..1_000_000)).await.unwrap();
    assert!(again.is_none(), "known to be cut");
    assert!(folder.open(&name, Some(0..900_000)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_open_for_reading_is_never_changed() {
    let (dir, folder) = folder();
    put(&folder, &object(1), b"x").await;
    let root = dir.path().join("objects");
    fs::remove_dir(root.join("tmp")).unwrap();
    let reading = Folder::open_read_only(&root).unwrap();
    reading.check().await.unwrap();
    assert_eq!(reading.size(&object(1)).await.unwrap(), Some(1));
    assert_eq!(reading.list("", None, 9).await.unwrap().len(), 1);
    assert_eq!(reading.leftovers(EVER).await.unwrap(), Vec::<String>::new());
    assert!(reading.create(&object(2)).await.is_err());
    assert!(reading.delete(&object(1)).await.is_err());
    assert!(reading.sweep(EVER).await.is_err());
    assert_eq!(reading.size(&object(1)).await.unwrap(), Some(1));
    assert!(!root.join("tmp").exists());
    assert!(Folder::open_read_only(&dir.path().join("nowhere")).is_err());
    assert!(!dir.path().join("nowhere").exists());
}

#[tokio::test]
async fn temporaries_of_the_living_are_left_alone_and_those_of_the_dead_are_swept() {
    let (_dir, folder) = folder();
    let mut writer = folder.create(&object(1)).await.unwrap();
    writer.write(vec![1; 300_000].into()).await.unwrap();
    fs::write(folder.inner.tmp.join("4711-dead"), b"half").unwrap();
    assert_eq!(temporaries(&folder), 2);
    assert_eq!(folder.leftovers(Time(0)).await.unwrap(), Vec::<String>::new());
    assert_eq!(folder.leftovers(EVER).await.unwrap(), ["4711-dead"]);
    assert_eq!(folder.sweep(EVER).await.unwrap(), 1);
    assert_eq!(writer.commit().await.unwrap(), 300_000);
    assert_eq!(temporaries(&folder), 0);
}

#[tokio::test]
async fn an_abandoned_writer_removes_its_temporary_file() {
    let (_dir, folder) = folder();
    let mut writer = folder.create(&object(1)).await.unwrap();
    writer.write(vec![1; 300_000].into()).await.unwrap();
    assert_eq!(temporaries(&folder), 1);
    drop(writer);
    assert_eq!(temporaries(&folder), 0);
    assert_eq!(folder.size(&object(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_write_fails_the_object_and_leaves_nothing() {
    let (_dir, folder) = folder();
    fs::remove_dir_all(&folder.inner.tmp).unwrap();
    let mut writer = folder.create(&object(1)).await.unwrap();
    let first = writer.write(vec![1; 300_000].into()).await.unwrap_err();
    assert_eq!(first.kind, Kind::StoreUnavailable);
    fs::create_dir(&folder.inner.tmp).unwrap();
    assert!(writer.write(vec![2; 300_000].into()).await.is_err());
    assert!(writer.commit().await.is_err());
    assert_eq!(folder.size(&object(1)).await.unwrap(), None);
    assert_eq!(temporaries(&folder), 0);
}

#[tokio::test]
async fn strangers_in_the_folder_are_not_listed() {
    let (_dir, folder) = folder();
    put(&folder, &object(1), b"x").await;
    let root = &folder.inner.root;
    fs::write(root.join("blobs/README"), b"a file").unwrap();
    fs::write(root.join("blobs/sha256/zz"), b"a file").unwrap();
    fs::create_dir_all(root.join("uploads/0199aa")).unwrap();
    fs::write(root.join("uploads/0199aa/.hidden"), b"a file").unwrap();
    let listed = folder.list("", None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].object, object(1));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_unavailable() {
    let (dir, folder) = folder();
    folder.check().await.unwrap();
    fs::remove_dir_all(&folder.inner.tmp).unwrap();
    assert_eq!(folder.check().await.unwrap_err().kind, Kind::StoreUnavailable);
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Folder::open(file).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_its_port() {
    let dirs = tempfile::tempdir().unwrap();
    let make = || async { Folder::open(dirs.path().join(Uuid::now_v7().to_string())).unwrap() };
    crate::conformance::blobs(make).await;
}
