//! Several at once, over blobs that they share: what one begins to name while another drops it, over several
//! repositories, as several replicas do.

use artifactapi_core::port::catalog::{LogRow, Touch};
use futures_util::future::join_all;

use super::{
    Arc, Catalog, Digest, EVER, Entry, EntryKey, RepoId, Time, added, entry, find, hosted, key, put, remote,
    remove,
};

super::super::cases! { Catalog;
    of_two_who_drop_the_last_names_of_bytes_one_leaves_them_to_the_collector,
    bytes_that_are_dropped_and_named_at_once_are_not_collected,
    who_changes_bytes_crosswise_does_not_fail,
    many_repositories_and_collectors_lose_no_bytes,
    bytes_condemned_beside_commits_leave_no_entry_without_them,
    a_repository_emptied_beside_others_takes_nothing_of_theirs,
    everything_that_others_must_notice_is_counted_once,
    of_many_first_values_one_is_settled,
    uses_are_recorded_beside_everything_else,
}

async fn two(store: &impl Catalog) -> [RepoId; 2] {
    [added(store, "one").await, added(store, "two").await]
}

async fn of_two_who_drop_the_last_names_of_bytes_one_leaves_them_to_the_collector(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    for round in 0..30 {
        let body = format!("body {round}");
        for repo in repos {
            put(&*store, entry(repo, "a", &body)).await;
        }
        let ids = repos.map(|repo| EntryKey::new(repo, key("a")));
        if round % 2 == 0 {
            let change = put(&*store, entry(repos[1], "a", "other"));
            let (removed, _) = tokio::join!(remove(&*store, &ids[0]), change);
            assert_eq!(removed.len(), 1);
        } else {
            let (one, two) = tokio::join!(remove(&*store, &ids[0]), remove(&*store, &ids[1]));
            assert_eq!((one.len(), two.len()), (1, 1));
            put(&*store, entry(repos[1], "a", "other")).await;
        }
        let doomed = store.begin_deleting(EVER, 10).await.unwrap();
        let doomed: Vec<_> = doomed.iter().map(|blob| &blob.digest).collect();
        assert_eq!(doomed, [&Digest::sha256(body.as_bytes())], "{round}");
        collect(&*store).await;
    }
}

/// One run of a collector whose grace is over at once; gives the objects that it would have removed.
async fn collect(store: &impl Catalog) -> Vec<artifactapi_core::key::ObjectName> {
    let mut gone = Vec::new();
    for blob in store.begin_deleting(EVER, 100).await.unwrap() {
        gone.push(blob.object.clone());
        store.end_deleting(&blob.digest, &blob.object).await.unwrap();
    }
    gone
}

async fn bytes_that_are_dropped_and_named_at_once_are_not_collected(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    for round in 0..30 {
        let body = format!("body {round}");
        let first = put(&*store, entry(repos[0], "a", &body)).await;
        let (removed, named, gone) = tokio::join!(
            remove(&*store, &first.id),
            put(&*store, entry(repos[1], "a", &body)),
            collect(&*store)
        );
        assert_eq!(removed.len(), 1);
        let there = find(&*store, &named.id).await.unwrap();
        assert_eq!(there.object, named.object);
        assert!(!gone.contains(&there.object), "named and gone: {there:?}");
        assert!(!collect(&*store).await.contains(&there.object));
        let blobs = store.blobs(None, 10).await.unwrap();
        assert_eq!((blobs.len(), blobs[0].references), (1, 1), "{round}");
        remove(&*store, &named.id).await;
        collect(&*store).await;
    }
}

async fn who_changes_bytes_crosswise_does_not_fail(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    let change = |at: usize| {
        let store = store.clone();
        async move {
            for round in 0..40 {
                put(
                    &*store,
                    entry(repos[at % 2], &format!("{at}"), &format!("{}", (round + at) % 3)),
                )
                .await;
            }
        }
    };
    join_all((0..6).map(change)).await;
    let blobs = store.blobs(None, 10).await.unwrap();
    assert_eq!(blobs.iter().map(|blob| blob.references).sum::<u64>(), 6);
    assert_eq!(store.dangling(10).await.unwrap(), []);
}

/// Objects are names in a set here: what is acknowledged must be in it until it is dropped.
async fn many_repositories_and_collectors_lose_no_bytes(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    let objects = std::sync::Mutex::new(std::collections::HashSet::new());
    let push = |n: usize| {
        let (store, objects) = (&store, &objects);
        async move {
            for round in 0..25 {
                let new = entry(repos[n % 2], &n.to_string(), &((n + round) % 4).to_string());
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
    let collector = |_: usize| async {
        for _ in 0..30 {
            for blob in store.begin_deleting(EVER, 10).await.unwrap() {
                objects.lock().unwrap().remove(&blob.object);
                store.end_deleting(&blob.digest, &blob.object).await.unwrap();
            }
        }
    };
    tokio::join!(join_all((0..4).map(push)), join_all((0..2).map(collector)));
    assert_eq!(store.dangling(10).await.unwrap(), []);
    for row in store.blobs(None, 10).await.unwrap() {
        assert!(
            row.deleting || objects.lock().unwrap().contains(&row.object),
            "{row:?}"
        );
        assert!(!(row.deleting && row.references > 0), "{row:?}");
    }
}

async fn bytes_condemned_beside_commits_leave_no_entry_without_them(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    let push = |at: usize| {
        let store = store.clone();
        async move {
            for round in 0..20 {
                put(&*store, entry(repos[at % 2], &format!("{at}/{round}"), "same")).await;
            }
        }
    };
    let condemn = async {
        let mut dropped = Vec::new();
        for _ in 0..20 {
            if let Some(blob) = store.blobs(None, 1).await.unwrap().first() {
                dropped.extend(store.condemn(&blob.object).await.unwrap());
            }
        }
        dropped
    };
    let (_, dropped) = tokio::join!(join_all((0..4).map(push)), condemn);
    assert_eq!(store.dangling(100).await.unwrap(), []);
    let mut left = 0;
    for repo in repos {
        left += store.usage(repo).await.unwrap().objects;
    }
    assert_eq!(
        left + dropped.len() as u64,
        80,
        "each is there or was told to be dropped"
    );
}

async fn a_repository_emptied_beside_others_takes_nothing_of_theirs(store: Arc<impl Catalog>) {
    let mut emptied = remote("emptied");
    store.create_repository(&emptied).await.unwrap();
    let other = added(&*store, "other").await;
    let fill = |repo: RepoId| {
        let store = store.clone();
        async move {
            for n in 0..30 {
                put(&*store, hosted(repo, &n.to_string(), &(n % 5).to_string())).await;
            }
        }
    };
    let id = emptied.id;
    let empty = async {
        for _ in 0..10 {
            let expected = emptied.revision;
            emptied.revision += 1;
            tokio::task::yield_now().await;
            assert!(store.replace_repository(&emptied, expected, true).await.unwrap());
        }
    };
    tokio::join!(fill(id), fill(other), empty, async {
        for _ in 0..10 {
            collect(&*store).await;
        }
    });
    assert_eq!(store.usage(other).await.unwrap().objects, 30);
    assert_eq!(store.dangling(10).await.unwrap(), []);
    let blobs = store.blobs(None, 10).await.unwrap();
    let named = store.usage(id).await.unwrap().objects + 30;
    assert_eq!(blobs.iter().map(|blob| blob.references).sum::<u64>(), named);
}

async fn everything_that_others_must_notice_is_counted_once(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    let mut all: Vec<Entry> = Vec::new();
    for n in 0..20 {
        all.push(put(&*store, entry(repos[n % 2], &n.to_string(), &n.to_string())).await);
    }
    let before = store.epoch().await.unwrap();
    let notice = all.iter().map(|entry| async {
        remove(&*store, &entry.id).await;
        store.epoch().await.unwrap()
    });
    let mut seen = join_all(notice).await;
    assert_eq!(store.epoch().await.unwrap(), before + 20);
    seen.sort_unstable();
    let own = (1..=20).map(|n| before + n);
    assert!(
        seen.iter().zip(own).all(|(seen, own)| *seen >= own),
        "{before} {seen:?}"
    );
}

async fn of_many_first_values_one_is_settled(store: Arc<impl Catalog>) {
    let values: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let settled = join_all(values.iter().map(|value| store.settle("name", value))).await;
    let holds = store.setting("name").await.unwrap().unwrap();
    for value in settled {
        assert_eq!(value.unwrap(), holds);
    }
    assert!(values.contains(&holds));
}

async fn uses_are_recorded_beside_everything_else(store: Arc<impl Catalog>) {
    let repos = two(&*store).await;
    let id = |n: usize| EntryKey::new(repos[n % 2], key(&n.to_string()));
    for n in 0..10 {
        put(&*store, entry(repos[n % 2], &n.to_string(), "same")).await;
    }
    let row = LogRow {
        at: Time(1),
        repo: "one".into(),
        method: "GET",
        path: "a".into(),
        status: 200,
        outcome: "hit",
        hit: true,
        bytes: 1,
        micros: 1,
    };
    let record = |from: usize| {
        let (store, row) = (store.clone(), row.clone());
        async move {
            for _ in 0..20 {
                let touch = |n: usize| Touch {
                    id: id((n + from) % 10),
                    at: Time(5),
                    hits: 1,
                };
                let touches: Vec<_> = (0..10).map(touch).collect();
                store.record(std::slice::from_ref(&row), &touches).await.unwrap();
            }
        }
    };
    let change = async {
        for n in 0..40 {
            put(
                &*store,
                entry(repos[n % 2], &(n % 10).to_string(), &(n % 3).to_string()),
            )
            .await;
        }
    };
    tokio::join!(join_all((0..4).map(record)), change);
    let stats = store.statistics(Time(0)).await.unwrap();
    assert_eq!((stats[0].requests, stats[0].bytes_saved), (80, 80));
    for repo in repos {
        for listed in store.coldest(repo, None, 10).await.unwrap() {
            assert_eq!(listed.usage.hits, 80, "{:?}", listed.entry.id);
        }
    }
}
