//! Several at once.

use std::collections::HashSet;
use std::sync::Mutex;

use artifactapi_core::port::catalog::Usage;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, poll};

use super::{
    Arc, Catalog, Commit, Committed, EVER, Entry, EntryKey, Guard, Pin, added, entry, fact, find, hosted,
    key, plain, put, remove,
};

super::super::cases! { Catalog;
    of_many_who_want_a_free_name_one_gets_it,
    of_many_who_replace_what_they_saw_one_does,
    of_many_first_sights_one_is_pinned,
    the_quota_holds_against_many_at_once,
    equal_bytes_stored_at_once_share_one_object,
    readers_see_whole_versions,
    a_listing_beside_writers_misses_nothing_that_stays,
    the_collector_never_takes_what_is_named,
    an_abandoned_commit_is_whole_or_nothing,
    a_repository_deleted_beside_commits_leaves_nothing,
}

async fn wins(store: &impl Catalog, commits: Vec<Commit>) -> Vec<Entry> {
    let committed = join_all(commits.into_iter().map(|commit| store.commit(commit))).await;
    let won = committed
        .into_iter()
        .filter_map(|committed| match committed.unwrap() {
            Committed::Stored { entry, .. } => Some(*entry),
            _ => None,
        });
    won.collect()
}

async fn of_many_who_want_a_free_name_one_gets_it(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |n: u32| Commit {
        guard: Guard::Absent,
        ..plain(hosted(repo, "a", &n.to_string()))
    };
    let won = wins(&*store, (0..20).map(commit).collect()).await;
    assert_eq!(won.len(), 1);
    assert_eq!(find(&*store, &won[0].id).await, Some(won[0].clone()));
    assert_eq!(store.blobs(None, 100).await.unwrap().len(), 1);
}

async fn of_many_who_replace_what_they_saw_one_does(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let seen = put(&*store, hosted(repo, "a", "seen")).await.client_etag();
    let commit = |n: u32| Commit {
        guard: Guard::Matching(vec![seen.clone()]),
        ..plain(hosted(repo, "a", &n.to_string()))
    };
    let won = wins(&*store, (0..20).map(commit).collect()).await;
    assert_eq!(won.len(), 1);
    assert_eq!(find(&*store, &won[0].id).await, Some(won[0].clone()));
}

async fn of_many_first_sights_one_is_pinned(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |n: u32| Commit {
        pin: Pin::Hold,
        ..plain(entry(repo, "a", &(n % 4).to_string()))
    };
    let won = wins(&*store, (0..20).map(commit).collect()).await;
    assert_eq!(won.len(), 5);
    assert!(won.iter().all(|entry| entry.digest == won[0].digest));
    assert_eq!(
        store.pinned(&won[0].id).await.unwrap().as_ref(),
        Some(&won[0].digest)
    );
}

async fn the_quota_holds_against_many_at_once(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |n: u32| Commit {
        quota: 1000,
        ..plain(hosted(repo, &n.to_string(), &format!("{n:0>99}")))
    };
    let won = wins(&*store, (0..50).map(commit).collect()).await;
    assert_eq!(won.len(), 10);
    assert_eq!(
        store.usage(repo).await.unwrap(),
        Usage {
            objects: 10,
            bytes: 990
        }
    );
}

async fn equal_bytes_stored_at_once_share_one_object(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |n: u32| plain(entry(repo, &n.to_string(), "same"));
    let won = wins(&*store, (0..20).map(commit).collect()).await;
    assert!(won.iter().all(|entry| entry.object == won[0].object));
    let blobs = store.blobs(None, 10).await.unwrap();
    assert_eq!((blobs.len(), blobs[0].references), (1, 20));
}

async fn readers_see_whole_versions(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let version = |n: usize| Entry {
        media: n.to_string(),
        etag: Some(format!("\"{n}\"")),
        ..entry(repo, "a", &"x".repeat(n))
    };
    let id = put(&*store, version(0)).await.id;
    let write = async {
        for n in 1..100 {
            put(&*store, version(n)).await;
        }
    };
    let read = async {
        for _ in 0..200 {
            let seen = find(&*store, &id).await.unwrap();
            let n = usize::try_from(seen.size).unwrap();
            let whole = version(n);
            assert_eq!(
                (seen.media, seen.etag, seen.digest),
                (whole.media, whole.etag, whole.digest)
            );
        }
    };
    tokio::join!(write, read);
    assert_eq!(
        find(&*store, &id).await.unwrap().size,
        99,
        "an acknowledged write is seen at once"
    );
}

async fn a_listing_beside_writers_misses_nothing_that_stays(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    for n in 0..40 {
        put(&*store, entry(repo, &format!("stays {n:02}"), "x")).await;
    }
    let write = async {
        for n in 0..80 {
            let brief = put(&*store, entry(repo, &format!("stays {:02} brief", n % 40), "y")).await;
            remove(&*store, &brief.id).await;
        }
    };
    let list = async {
        for _ in 0..5 {
            let mut page = artifactapi_core::port::catalog::Page {
                limit: 7,
                ..Default::default()
            };
            let mut stays = 0;
            loop {
                let listed = store.page(repo, &page).await.unwrap();
                let Some(last) = listed.last() else { break };
                page.after = Some((last.entry.id.key.to_string(), last.entry.id.variant.clone()));
                stays += listed
                    .iter()
                    .filter(|listed| listed.entry.id.key.as_str().len() == 8)
                    .count();
            }
            assert_eq!(stays, 40);
        }
    };
    tokio::join!(write, list);
}

/// Bytes are stored, dropped and stored again while a collector runs. Objects are names in a set here.
async fn the_collector_never_takes_what_is_named(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let objects = Mutex::new(HashSet::new());
    let push = |n: u32| {
        let (store, objects) = (&store, &objects);
        async move {
            for round in 0..25 {
                let new = entry(repo, &n.to_string(), &(round % 3).to_string());
                let own = new.object.clone();
                objects.lock().unwrap().insert(own.clone());
                let stored = put(&**store, new).await;
                assert!(
                    objects.lock().unwrap().contains(&stored.object),
                    "acknowledged and gone"
                );
                if stored.object != own {
                    objects.lock().unwrap().remove(&own);
                }
                if round % 2 == 0 {
                    remove(&**store, &stored.id).await;
                }
            }
        }
    };
    let collect = async {
        for _ in 0..60 {
            for blob in store.begin_deleting(EVER, 10).await.unwrap() {
                objects.lock().unwrap().remove(&blob.object);
                store.end_deleting(&blob.digest, &blob.object).await.unwrap();
            }
        }
    };
    tokio::join!(join_all((0..4).map(push)), collect);
    assert_eq!(store.dangling(10).await.unwrap(), []);
    let rows = store.blobs(None, 10).await.unwrap();
    for row in rows.iter().filter(|row| !row.deleting) {
        assert!(objects.lock().unwrap().contains(&row.object), "{row:?}");
    }
}

async fn an_abandoned_commit_is_whole_or_nothing(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    for patience in 0..25 {
        let path = patience.to_string();
        let commit = Commit {
            pin: Pin::Hold,
            facts: Some((0..300).map(|n| fact(&n.to_string(), &path, "1")).collect()),
            ..plain(entry(repo, &path, &path))
        };
        let mut commit = store.commit(commit).boxed();
        for _ in 0..patience {
            if poll!(&mut commit).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        // What was abandoned may still be on its way; the next writer comes after it.
        put(&*store, entry(repo, "next", "next")).await;
        let id = EntryKey::new(repo, key(&path));
        let there = find(&*store, &id).await.is_some();
        assert_eq!(store.pinned(&id).await.unwrap().is_some(), there);
        assert_eq!(store.fact(repo, &id.key, "299").await.unwrap().is_some(), there);
        assert_eq!(store.ledger(repo, &path, "1").await.unwrap().is_some(), there);
    }
    assert_eq!(store.dangling(10).await.unwrap(), []);
}

async fn a_repository_deleted_beside_commits_leaves_nothing(store: Arc<impl Catalog>) {
    for _ in 0..5 {
        let repo = added(&*store, "name").await;
        let commit = |n: u32| store.commit(plain(entry(repo, &n.to_string(), &n.to_string())));
        let (committed, deleted) = tokio::join!(join_all((0..20).map(commit)), async {
            tokio::task::yield_now().await;
            store.delete_repository(repo, 1).await
        });
        assert!(deleted.unwrap());
        for committed in committed {
            let committed = committed.unwrap();
            assert!(
                matches!(committed, Committed::Stored { .. } | Committed::NoRepository),
                "{committed:?}"
            );
        }
        assert_eq!(store.usage(repo).await.unwrap(), Usage::default());
    }
}
