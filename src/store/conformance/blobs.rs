//! The suite for stores of objects.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use artifactapi_core::key::ObjectName;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::{Digest, Time};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use uuid::Uuid;

const EVER: Time = Time(i64::MAX);

/// Every promise of [`Blobs`].
pub async fn blobs<S: Blobs, F: Future<Output = S>>(make: impl Fn() -> F) {
    super::run(make, &cases(), |store| Box::pin(nothing_is_left(store))).await;
}

super::cases! { Blobs;
    committed_bytes_read_back_whatever_their_size,
    chunks_are_joined_in_order,
    nothing_is_visible_before_commit,
    a_dropped_writer_leaves_nothing,
    ranges_are_exact,
    a_range_beyond_the_end_never_ends_cleanly,
    what_is_missing_is_none,
    deleting_removes_this_object_alone,
    generations_of_one_digest_are_objects_of_their_own,
    pages_come_in_byte_order_and_join_up,
    a_prefix_is_a_prefix_of_the_whole_name,
    a_listing_survives_deletion_of_its_last_object,
    listings_know_size_and_time,
    of_two_writers_one_wins_whole,
    readers_see_whole_versions_while_an_object_is_replaced,
    many_writers_do_not_disturb_each_other,
    a_source_seeks,
    sweeping_spares_objects_and_living_writers,
    a_link_is_given_for_every_object_or_for_none,
    a_healthy_store_says_so,
}

/// After a case: what it left can be deleted, and then there is nothing.
async fn nothing_is_left(store: Arc<impl Blobs>) {
    for info in store.list("", None, 10_000).await.unwrap() {
        assert!(store.delete(&info.object).await.unwrap());
    }
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
    assert_eq!(store.leftovers(EVER).await.unwrap(), Vec::<String>::new());
}

fn blob(n: u32) -> ObjectName {
    generation(n, n)
}

fn generation(digest: u32, generation: u32) -> ObjectName {
    ObjectName::blob(
        &Digest::sha256(&digest.to_be_bytes()),
        Uuid::from_u128(generation.into()),
    )
}

fn upload(n: u32) -> ObjectName {
    ObjectName::upload(Uuid::from_u128(u128::from(n) << 100))
}

fn pattern(len: usize) -> Bytes {
    (0..len)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect::<Vec<_>>()
        .into()
}

async fn put(store: &impl Blobs, object: &ObjectName, bytes: Bytes) {
    let size = bytes.len() as u64;
    let mut writer = store.create(object).await.unwrap();
    writer.write(bytes).await.unwrap();
    assert_eq!(writer.commit().await.unwrap(), size);
}

async fn collect(stream: ByteStream) -> Vec<u8> {
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    pieces.concat()
}

async fn get(store: &impl Blobs, object: &ObjectName, span: Option<Range<u64>>) -> Option<Vec<u8>> {
    let stream = store.open(object, span).await.unwrap()?;
    Some(collect(stream).await)
}

async fn names(
    store: &impl Blobs,
    prefix: &str,
    after: Option<&ObjectName>,
    limit: usize,
) -> Vec<ObjectName> {
    let listed = store.list(prefix, after, limit).await.unwrap();
    listed.into_iter().map(|info| info.object).collect()
}

async fn committed_bytes_read_back_whatever_their_size(store: Arc<impl Blobs>) {
    for (n, len) in (0..).zip([0, 1, 65_536, 262_143, 262_144, 262_145, 1_000_000]) {
        let body = pattern(len);
        put(&*store, &blob(n), body.clone()).await;
        assert_eq!(store.size(&blob(n)).await.unwrap(), Some(len as u64));
        assert!(get(&*store, &blob(n), None).await.unwrap() == body, "{len}");
        let mut source = store.source(&blob(n)).await.unwrap().unwrap();
        let mut read = Vec::new();
        source.read_to_end(&mut read).unwrap();
        assert!(read == body, "{len}");
    }
    let untouched = store.create(&blob(99)).await.unwrap();
    assert_eq!(untouched.commit().await.unwrap(), 0);
    assert_eq!(get(&*store, &blob(99), None).await.unwrap(), b"");
}

async fn chunks_are_joined_in_order(store: Arc<impl Blobs>) {
    let body = pattern(700_000);
    let mut writer = store.create(&upload(1)).await.unwrap();
    let mut rest = body.clone();
    for len in [1, 0, 3, 300_000, 7, 262_144, 99_999]
        .into_iter()
        .chain(std::iter::repeat(1000))
    {
        if rest.is_empty() {
            break;
        }
        writer.write(rest.split_to(len.min(rest.len()))).await.unwrap();
    }
    assert_eq!(writer.commit().await.unwrap(), 700_000);
    assert!(get(&*store, &upload(1), None).await.unwrap() == body);
}

async fn nothing_is_visible_before_commit(store: Arc<impl Blobs>) {
    let mut writer = store.create(&blob(1)).await.unwrap();
    writer.write(pattern(600_000)).await.unwrap();
    assert_eq!(store.size(&blob(1)).await.unwrap(), None);
    assert_eq!(get(&*store, &blob(1), None).await, None);
    assert_eq!(names(&*store, "", None, 10).await, []);
    writer.commit().await.unwrap();
    assert_eq!(names(&*store, "", None, 10).await, [blob(1)]);
}

async fn a_dropped_writer_leaves_nothing(store: Arc<impl Blobs>) {
    for len in [0, 10, 600_000] {
        let mut writer = store.create(&blob(1)).await.unwrap();
        writer.write(pattern(len)).await.unwrap();
        drop(writer);
        assert_eq!(store.size(&blob(1)).await.unwrap(), None);
    }
    put(&*store, &blob(1), pattern(5)).await;
    let mut writer = store.create(&blob(1)).await.unwrap();
    writer.write(pattern(9)).await.unwrap();
    drop(writer);
    assert_eq!(get(&*store, &blob(1), None).await.unwrap(), pattern(5));
}

async fn ranges_are_exact(store: Arc<impl Blobs>) {
    let body = pattern(600_000);
    put(&*store, &blob(1), body.clone()).await;
    for span in [
        0..0,
        0..1,
        599_999..600_000,
        0..600_000,
        1..600_000,
        262_143..262_145,
        100_000..524_289,
        600_000..600_000,
    ] {
        let (from, to) = (
            usize::try_from(span.start).unwrap(),
            usize::try_from(span.end).unwrap(),
        );
        let got = get(&*store, &blob(1), Some(span.clone())).await.unwrap();
        assert!(got == body[from..to], "{span:?}");
    }
}

async fn a_range_beyond_the_end_never_ends_cleanly(store: Arc<impl Blobs>) {
    put(&*store, &blob(1), pattern(1000)).await;
    for span in [0..1001, 500..300_000, 1000..1001, 5000..5001] {
        let ended = match store.open(&blob(1), Some(span.clone())).await {
            Ok(Some(stream)) => stream.try_collect::<Vec<_>>().await.is_ok(),
            Ok(None) | Err(_) => false,
        };
        assert!(!ended, "{span:?}");
    }
}

async fn what_is_missing_is_none(store: Arc<impl Blobs>) {
    for object in [blob(1), upload(1)] {
        assert!(store.open(&object, None).await.unwrap().is_none());
        assert!(store.open(&object, Some(0..1)).await.unwrap().is_none());
        assert!(store.source(&object).await.unwrap().is_none());
        assert_eq!(store.size(&object).await.unwrap(), None);
        assert!(!store.delete(&object).await.unwrap());
    }
}

async fn deleting_removes_this_object_alone(store: Arc<impl Blobs>) {
    for object in [blob(1), blob(2), upload(1)] {
        put(&*store, &object, pattern(10)).await;
    }
    assert!(store.delete(&blob(1)).await.unwrap());
    assert!(!store.delete(&blob(1)).await.unwrap());
    assert_eq!(get(&*store, &blob(1), None).await, None);
    assert_eq!(get(&*store, &blob(2), None).await.unwrap(), pattern(10));
    assert_eq!(get(&*store, &upload(1), None).await.unwrap(), pattern(10));
}

async fn generations_of_one_digest_are_objects_of_their_own(store: Arc<impl Blobs>) {
    put(&*store, &generation(1, 1), pattern(10)).await;
    put(&*store, &generation(1, 2), pattern(20)).await;
    assert!(store.delete(&generation(1, 1)).await.unwrap());
    assert_eq!(get(&*store, &generation(1, 2), None).await.unwrap(), pattern(20));
    assert_eq!(names(&*store, "", None, 10).await, [generation(1, 2)]);
}

/// Objects of both shapes, two generations of one digest among them; gives their names in order.
async fn filled(store: &impl Blobs) -> Vec<ObjectName> {
    let mut all: Vec<_> = (0..20).map(blob).chain((0..9).map(upload)).collect();
    all.extend([generation(3, 77), generation(3, 5)]);
    for object in &all {
        put(store, object, pattern(1)).await;
    }
    all.sort();
    all
}

async fn pages_come_in_byte_order_and_join_up(store: Arc<impl Blobs>) {
    let all = filled(&*store).await;
    assert_eq!(names(&*store, "", None, 100).await, all);
    assert_eq!(names(&*store, "", None, 0).await, []);
    for limit in [1, 3, 7] {
        let mut joined = Vec::new();
        loop {
            let page = names(&*store, "", joined.last(), limit).await;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, all, "{limit}");
    }
}

async fn a_prefix_is_a_prefix_of_the_whole_name(store: Arc<impl Blobs>) {
    let all = filled(&*store).await;
    let below = |prefix: &str| -> Vec<_> {
        let names = all.iter().filter(|name| name.as_str().starts_with(prefix));
        names.cloned().collect()
    };
    let hex = format!("blobs/sha256/{}", Digest::sha256(&3_u32.to_be_bytes()).hex());
    let shorter = hex.get(..14).unwrap();
    let prefixes = ["blobs/sha", "b", &hex, shorter, "c", "blobs/md5"];
    for prefix in prefixes
        .into_iter()
        .chain([ObjectName::BLOBS, ObjectName::UPLOADS])
    {
        assert_eq!(names(&*store, prefix, None, 100).await, below(prefix), "{prefix}");
    }
    let after = ObjectName::stored("blobs/zz");
    assert_eq!(
        names(&*store, "", Some(&after), 100).await,
        below(ObjectName::UPLOADS)
    );
    assert_eq!(names(&*store, ObjectName::BLOBS, Some(&after), 100).await, []);
}

async fn a_listing_survives_deletion_of_its_last_object(store: Arc<impl Blobs>) {
    for n in 0..6 {
        put(&*store, &upload(n), pattern(1)).await;
    }
    let page = names(&*store, "", None, 3).await;
    assert_eq!(page, [upload(0), upload(1), upload(2)]);
    for object in &page {
        store.delete(object).await.unwrap();
    }
    let rest = names(&*store, "", page.last(), 9).await;
    assert_eq!(rest, [upload(3), upload(4), upload(5)]);
}

async fn listings_know_size_and_time(store: Arc<impl Blobs>) {
    put(&*store, &blob(1), pattern(10)).await;
    put(&*store, &blob(2), pattern(300_000)).await;
    let mut listed = store.list("", None, 10).await.unwrap();
    listed.sort_by_key(|info| info.size);
    assert_eq!([listed[0].size, listed[1].size], [10, 300_000]);
    let apart = listed[1].modified.since(listed[0].modified);
    assert!(
        listed[0].modified > Time(0) && apart.as_secs() < 600,
        "{listed:?}"
    );
}

async fn of_two_writers_one_wins_whole(store: Arc<impl Blobs>) {
    let write = |byte: u8, len: usize| {
        let store = store.clone();
        async move {
            let mut writer = store.create(&blob(1)).await.unwrap();
            for _ in 0..4 {
                writer.write(vec![byte; len].into()).await.unwrap();
            }
            writer.commit().await.unwrap()
        }
    };
    let sizes = join_all([write(b'a', 100_000), write(b'b', 70_000)]).await;
    assert_eq!(sizes, [400_000, 280_000]);
    let got = get(&*store, &blob(1), None).await.unwrap();
    assert!(got == vec![b'a'; 400_000] || got == vec![b'b'; 280_000]);
    assert_eq!(names(&*store, "", None, 10).await, [blob(1)]);
}

async fn readers_see_whole_versions_while_an_object_is_replaced(store: Arc<impl Blobs>) {
    let version = |n: u8| Bytes::from(vec![n; 600_000 + usize::from(n)]);
    put(&*store, &blob(1), version(0)).await;
    let done = AtomicBool::new(false);
    let write = async {
        for n in 1..15 {
            put(&*store, &blob(1), version(n)).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let read = async || {
        while !done.load(Ordering::Relaxed) {
            let got = get(&*store, &blob(1), None).await.unwrap();
            assert!(
                got.first().is_some_and(|n| got == version(*n)),
                "a mix of versions"
            );
        }
    };
    tokio::join!(write, read(), read());
    assert!(get(&*store, &blob(1), None).await.unwrap() == version(14));
}

async fn many_writers_do_not_disturb_each_other(store: Arc<impl Blobs>) {
    let body = |n: u32| Bytes::from(vec![u8::try_from(n).unwrap(); 1000 * (n as usize + 1)]);
    join_all((0..40).map(|n| put_owned(store.clone(), n, body(n)))).await;
    for n in 0..40 {
        assert!(get(&*store, &blob(n), None).await.unwrap() == body(n), "{n}");
    }
}

async fn put_owned(store: Arc<impl Blobs>, n: u32, body: Bytes) {
    put(&*store, &blob(n), body).await;
}

async fn a_source_seeks(store: Arc<impl Blobs>) {
    let body = pattern(500_000);
    put(&*store, &blob(1), body.clone()).await;
    let mut source = store.source(&blob(1)).await.unwrap().unwrap();
    assert_eq!(source.seek(SeekFrom::End(-100)).unwrap(), 499_900);
    let mut read = Vec::new();
    source.read_to_end(&mut read).unwrap();
    assert_eq!(read, body[499_900..]);
    source.seek(SeekFrom::Start(7)).unwrap();
    let mut few = [0; 9];
    source.read_exact(&mut few).unwrap();
    assert_eq!(few, body[7..16]);
}

async fn sweeping_spares_objects_and_living_writers(store: Arc<impl Blobs>) {
    put(&*store, &blob(1), pattern(10)).await;
    let mut writer = store.create(&blob(2)).await.unwrap();
    writer.write(pattern(600_000)).await.unwrap();
    assert_eq!(store.sweep(Time(0)).await.unwrap(), 0);
    assert_eq!(writer.commit().await.unwrap(), 600_000);
    assert_eq!(store.sweep(EVER).await.unwrap(), 0);
    assert_eq!(get(&*store, &blob(1), None).await.unwrap(), pattern(10));
    assert!(get(&*store, &blob(2), None).await.unwrap() == pattern(600_000));
}

async fn a_link_is_given_for_every_object_or_for_none(store: Arc<impl Blobs>) {
    put(&*store, &blob(1), pattern(10)).await;
    let mut links = Vec::new();
    // Whether the object exists is not asked.
    for object in [blob(1), blob(2), upload(1)] {
        let link = store.link(&object, "text/plain", Duration::from_mins(1)).await;
        links.extend(link.unwrap().map(|url| (object, url)));
    }
    assert!(links.is_empty() || links.len() == 3);
    for (object, url) in links {
        assert!(["http", "https"].contains(&url.scheme()), "{url}");
        assert!(url.path().ends_with(object.as_str()), "{url}");
    }
}

async fn a_healthy_store_says_so(store: Arc<impl Blobs>) {
    store.check().await.unwrap();
    assert!(!store.kind().is_empty());
    assert_eq!(names(&*store, "", None, 10).await, [], "a check leaves no object");
}
