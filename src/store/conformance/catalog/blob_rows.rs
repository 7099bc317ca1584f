//! Blob rows, as the collector and `fsck` use them.

use artifactapi_core::clock::SystemClock;

use super::{
    Arc, Catalog, Commit, Digest, EVER, Entry, EntryKey, Lifetime, ObjectName, Pin, Time, added, entry, find,
    hosted, key, plain, put, remote, remove, stored,
};

super::super::cases! { Catalog;
    blobs_come_in_order_of_digest_and_join_up,
    known_objects_are_told_from_others,
    only_what_nobody_names_since_then_is_marked,
    marks_of_an_earlier_run_are_given_again,
    only_marked_rows_of_this_object_are_dropped,
    a_blob_that_was_named_again_is_spared,
    the_grace_runs_from_the_last_time_anybody_named_it,
    condemning_drops_cached_entries_and_keeps_hosted_ones,
    a_condemned_hosted_entry_heals_when_its_bytes_come_back,
    condemning_the_unknown_does_nothing,
}

async fn blobs_come_in_order_of_digest_and_join_up(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    for n in 0..10 {
        for copy in 0..=n {
            put(&*store, entry(repo, &format!("{n}/{copy}"), &"x".repeat(n))).await;
        }
    }
    let all = store.blobs(None, 100).await.unwrap();
    assert_eq!(all.len(), 10);
    assert!(all.is_sorted_by_key(|blob| blob.digest.to_string()));
    for blob in &all {
        assert_eq!(blob.references, blob.size + 1);
        assert!(!blob.deleting);
    }
    let mut joined = Vec::new();
    loop {
        let after = joined
            .last()
            .map(|blob: &artifactapi_core::port::catalog::BlobRow| &blob.digest);
        let page = store.blobs(after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        joined.extend(page);
    }
    assert_eq!(joined, all);
}

async fn known_objects_are_told_from_others(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut known = Vec::new();
    let mut asked = Vec::new();
    for n in 0..250 {
        let new = entry(repo, &format!("{n}"), &format!("{n}"));
        asked.push(new.object.clone());
        if n % 2 == 0 {
            known.push(put(&*store, new).await.object);
        }
    }
    let mut found = store.known_objects(&asked).await.unwrap();
    found.sort();
    known.sort();
    assert_eq!(found, known);
    assert_eq!(store.known_objects(&[]).await.unwrap(), []);
}

async fn only_what_nobody_names_since_then_is_marked(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    put(&*store, entry(repo, "named", "named")).await;
    for n in 0..5 {
        let gone = put(&*store, entry(repo, "gone", &format!("{n}"))).await;
        remove(&*store, &gone.id).await;
    }
    assert_eq!(store.begin_deleting(Time(0), 10).await.unwrap(), []);
    assert!(
        store
            .blobs(None, 10)
            .await
            .unwrap()
            .iter()
            .all(|blob| !blob.deleting)
    );
    assert_eq!(store.begin_deleting(EVER, 2).await.unwrap().len(), 2);
    let marked = store.begin_deleting(EVER, 10).await.unwrap();
    assert_eq!(marked.len(), 5);
    assert!(
        marked
            .iter()
            .all(|blob| blob.deleting && blob.references == 0 && blob.size == 1)
    );
    assert!(marked.iter().all(|blob| blob.digest != Digest::sha256(b"named")));
}

async fn marks_of_an_earlier_run_are_given_again(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let gone = put(&*store, entry(repo, "gone", "1")).await;
    remove(&*store, &gone.id).await;
    let first = store.begin_deleting(EVER, 10).await.unwrap();
    let again = store.begin_deleting(Time(0), 10).await.unwrap();
    assert_eq!((again.len(), &again), (1, &first));
}

async fn only_marked_rows_of_this_object_are_dropped(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let gone = put(&*store, entry(repo, "gone", "1")).await;
    assert!(!store.end_deleting(&gone.digest, &gone.object).await.unwrap());
    remove(&*store, &gone.id).await;
    assert!(
        !store.end_deleting(&gone.digest, &gone.object).await.unwrap(),
        "not marked"
    );
    store.begin_deleting(EVER, 10).await.unwrap();
    let other = entry(repo, "x", "1").object;
    assert!(!store.end_deleting(&gone.digest, &other).await.unwrap());
    assert!(
        !store
            .end_deleting(&Digest::sha256(b"2"), &gone.object)
            .await
            .unwrap()
    );
    assert!(store.end_deleting(&gone.digest, &gone.object).await.unwrap());
    assert!(!store.end_deleting(&gone.digest, &gone.object).await.unwrap());
}

async fn a_blob_that_was_named_again_is_spared(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let first = put(&*store, entry(repo, "a", "1")).await;
    remove(&*store, &first.id).await;
    assert_eq!(put(&*store, entry(repo, "b", "1")).await.object, first.object);
    assert_eq!(store.begin_deleting(EVER, 10).await.unwrap(), []);
}

/// A moment after everything so far and before everything to come.
async fn meanwhile() -> Time {
    let brief = std::time::Duration::from_millis(2);
    tokio::time::sleep(brief).await;
    let now = SystemClock::shared().now();
    tokio::time::sleep(brief).await;
    now
}

async fn the_grace_runs_from_the_last_time_anybody_named_it(store: Arc<impl Catalog>) {
    let repo = remote("name");
    store.create_repository(&repo).await.unwrap();
    let other = added(&*store, "other").await;
    for round in ["by another entry", "by another repository", "again"] {
        let last = put(&*store, entry(other, "last", round)).await;
        match round {
            "by another entry" => {
                put(&*store, entry(other, "first", round)).await;
                remove(&*store, &EntryKey::new(other, key("first"))).await;
            }
            "by another repository" => {
                put(&*store, entry(repo.id, "first", round)).await;
                assert!(store.replace_repository(&repo, 1, true).await.unwrap());
            }
            _ => {
                remove(&*store, &last.id).await;
                put(&*store, entry(other, "last", round)).await;
            }
        }
        let before = meanwhile().await;
        remove(&*store, &last.id).await;
        assert_eq!(store.begin_deleting(before, 10).await.unwrap(), [], "{round}");
        let doomed = store.begin_deleting(EVER, 10).await.unwrap();
        assert_eq!(doomed.len(), 1, "{round}");
        assert!(store.end_deleting(&last.digest, &last.object).await.unwrap());
    }
}

async fn condemning_drops_cached_entries_and_keeps_hosted_ones(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let pinned = Commit {
        pin: Pin::Hold,
        ..plain(entry(repo, "a", "bad"))
    };
    let a = stored(store.commit(pinned).await.unwrap());
    let b = put(
        &*store,
        Entry {
            lifetime: Lifetime::Mutable,
            ..entry(repo, "b", "bad")
        },
    )
    .await;
    let host = put(&*store, hosted(repo, "host", "bad")).await;
    let good = put(&*store, entry(repo, "good", "good")).await;
    let mut dropped = store.condemn(&a.object).await.unwrap();
    dropped.sort_by(|x, y| x.id.cmp(&y.id));
    assert_eq!(dropped, [a.clone(), b]);
    assert_eq!(find(&*store, &a.id).await, None);
    assert_eq!(store.pinned(&a.id).await.unwrap(), Some(a.digest));
    assert_eq!(find(&*store, &good.id).await, Some(good.clone()));
    assert_eq!(store.blobs(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.dangling(10).await.unwrap(), std::slice::from_ref(&host.id));
    let left = find(&*store, &host.id).await.unwrap();
    assert_eq!((left.digest, left.object.as_str()), (host.digest, ""));
}

async fn a_condemned_hosted_entry_heals_when_its_bytes_come_back(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let host = put(&*store, hosted(repo, "host", "bytes")).await;
    assert_eq!(store.condemn(&host.object).await.unwrap(), []);
    let again = entry(repo, "elsewhere", "bytes");
    assert_eq!(put(&*store, again.clone()).await.object, again.object);
    assert_eq!(store.dangling(10).await.unwrap(), []);
    assert_eq!(find(&*store, &host.id).await.unwrap().object, again.object);
    assert_eq!(store.blobs(None, 10).await.unwrap()[0].references, 2);
}

async fn condemning_the_unknown_does_nothing(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let there = put(&*store, entry(repo, "a", "1")).await;
    let unknown = entry(repo, "a", "1").object;
    assert_eq!(store.condemn(&unknown).await.unwrap(), []);
    assert_eq!(store.condemn(&ObjectName::stored("")).await.unwrap(), []);
    assert_eq!(find(&*store, &there.id).await, Some(there));
}
