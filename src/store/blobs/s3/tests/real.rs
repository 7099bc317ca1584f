//! The promises of the port on a real server, and what only S3 has: parts and links.

use std::io::{Read as _, Seek as _, SeekFrom};

use super::*;
use crate::conformance;

const EVER: Time = Time(i64::MAX);

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_every_promise_of_the_port() {
    conformance::blobs(|| async { real(&settings()).await }).await;
}

#[tokio::test]
async fn objects_of_several_parts_are_whole_whatever_their_size() {
    let bucket = real(&settings()).await;
    let part = usize::try_from(PART).unwrap();
    for (n, len) in (0..).zip([part - 1, part, part + 1, 2 * part, 2 * part + 12_345]) {
        let body = pattern(len);
        let size = len as u64;
        assert_eq!(put(&bucket, &object(n), body.clone()).await.unwrap(), size);
        assert_eq!(bucket.size(&object(n)).await.unwrap(), Some(size));
        assert!(get(&bucket, &object(n), None).await.unwrap() == body, "{len}");
        let over = size - PART.min(size - 1)..size;
        let tail = usize::try_from(over.start).unwrap();
        assert!(get(&bucket, &object(n), Some(over)).await.unwrap() == body[tail..]);
    }
    assert!(bucket.inner.living().is_empty());
}

#[tokio::test]
async fn a_chunk_larger_than_parts_is_taken_apart() {
    let bucket = real(&settings()).await;
    let body = pattern(usize::try_from(2 * PART).unwrap() + 7);
    let mut writer = bucket.create(&object(1)).await.unwrap();
    writer.write(body.clone()).await.unwrap();
    writer.write(Bytes::new()).await.unwrap();
    assert_eq!(writer.commit().await.unwrap(), 2 * PART + 7);
    assert!(get(&bucket, &object(1), None).await.unwrap() == body);
}

/// Waits for what happens in the background.
async fn until<F: Future<Output = bool>>(what: impl Fn() -> F) {
    for _ in 0..500 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never happened");
}

#[tokio::test]
async fn the_parts_of_a_dropped_writer_are_removed_behind_it() {
    let settings = settings();
    let (bucket, other) = (real(&settings).await, real(&settings).await);
    let mut writer = bucket.create(&object(1)).await.unwrap();
    writer
        .write(pattern(usize::try_from(2 * PART).unwrap() + 1))
        .await
        .unwrap();
    assert_eq!(bucket.leftovers(EVER).await.unwrap(), [""; 0], "it lives");
    let seen = other.leftovers(EVER).await.unwrap();
    assert_eq!(seen.len(), 1, "another process cannot know that it lives");
    assert!(seen[0].starts_with(&format!("{}{}", settings.prefix, object(1))));
    drop(writer);
    until(async || other.leftovers(EVER).await.unwrap().is_empty()).await;
    until(async || bucket.inner.living().is_empty()).await;
    assert_eq!(bucket.size(&object(1)).await.unwrap(), None);
}

#[tokio::test]
async fn uploads_of_the_dead_are_swept_once_they_are_old() {
    let settings = settings();
    let (dead, bucket) = (real(&settings).await, real(&settings).await);
    let begin = async |name: &str| {
        let key = format!("{}{name}", settings.prefix);
        let begun = dead
            .inner
            .wire
            .handle
            .initiate_multipart_upload(&key, wire::MEDIA)
            .await;
        begun.unwrap()
    };
    begin(object(1).as_str()).await;
    let stranger = begin("stranger").await;
    assert_eq!(bucket.sweep(Time(0)).await.unwrap(), 0);
    assert_eq!(bucket.leftovers(EVER).await.unwrap().len(), 1);
    assert_eq!(bucket.sweep(EVER).await.unwrap(), 1);
    assert_eq!(bucket.leftovers(EVER).await.unwrap(), [""; 0]);
    let left = bucket.inner.abort(&stranger.key, &stranger.upload_id).await;
    left.expect("the stranger's upload was left alone");
}

#[tokio::test]
async fn listings_join_pages_and_pass_over_strangers() {
    let settings = settings();
    let bucket = real(&settings).await;
    for n in 1..=5 {
        put(&bucket, &object(n), pattern(3)).await.unwrap();
    }
    for stranger in [
        "blobs/readme",
        "uploads/x/y",
        "aaa",
        "installation",
        "uploads0",
        "zzz",
    ] {
        let key = format!("{}{stranger}", settings.prefix);
        bucket
            .inner
            .wire
            .put(&key, Bytes::from_static(b"?"), None)
            .await
            .unwrap();
    }
    let all: Vec<_> = (1..=5).map(object).collect();
    for limit in 1..7 {
        let page = bucket.list("", None, limit).await.unwrap();
        let names: Vec<_> = page.into_iter().map(|info| info.object).collect();
        assert_eq!(names, all[..limit.min(5)], "{limit}");
    }
}

#[tokio::test]
async fn a_link_gives_the_bytes_their_ranges_and_the_media_type() {
    let settings = settings();
    let bucket = real(&settings).await;
    put(&bucket, &object(1), pattern(1000)).await.unwrap();
    let media = "application/vnd.test+json; charset=utf-8";
    let link = bucket.link(&object(1), media, Duration::from_secs(30)).await;
    let link = link.unwrap().unwrap();
    let client = bucket.inner.wire.handle.http_client();
    let answer = client.get(link.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], media);
    assert_eq!(answer.bytes().await.unwrap(), pattern(1000));
    let part = client
        .get(link)
        .header("range", "bytes=10-19")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), pattern(1000)[10..20]);
}

#[tokio::test]
async fn a_link_leads_where_clients_reach_the_server() {
    let mut settings = settings();
    settings.public_endpoint = Some(Url::parse("https://objects.example/").unwrap());
    let bucket = real(&settings).await;
    let link = bucket
        .link(&object(1), "text/plain", Duration::from_secs(30))
        .await;
    let link = link.unwrap().unwrap();
    assert_eq!(link.origin().ascii_serialization(), "https://objects.example");
    let path = format!("/{BUCKET}/{}{}", settings.prefix, object(1));
    assert_eq!(link.path(), path);
    let expires = link.query_pairs().find(|(name, _)| name == "X-Amz-Expires");
    assert_eq!(expires.unwrap().1, "30");
}

#[tokio::test]
async fn a_large_source_is_spooled_without_a_name() {
    made().await;
    let scratch = tempfile::tempdir().unwrap();
    let bucket = Bucket::open(&settings(), &io(), scratch.path().to_owned())
        .await
        .unwrap();
    let body = pattern(3_000_000);
    put(&bucket, &object(1), body.clone()).await.unwrap();
    let mut source = bucket.source(&object(1)).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    source.seek(SeekFrom::Start(2_999_990)).unwrap();
    let mut tail = Vec::new();
    source.read_to_end(&mut tail).unwrap();
    assert_eq!(tail, body[2_999_990..]);
}

#[tokio::test]
async fn names_that_are_no_objects_are_nowhere() {
    let bucket = real(&settings()).await;
    let stranger = ObjectName::stored("uploads/../../etc");
    assert_eq!(bucket.size(&stranger).await.unwrap(), None);
    assert!(!bucket.delete(&stranger).await.unwrap());
    assert!(Blobs::open(&bucket, &stranger, None).await.unwrap().is_none());
    assert_eq!(
        bucket.create(&stranger).await.map(drop).unwrap_err().kind,
        Kind::Internal
    );
}
