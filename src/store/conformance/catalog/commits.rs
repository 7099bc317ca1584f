//! Commits: guards, quota, pins, and which object holds the bytes.

use super::{
    Arc, Catalog, Commit, Committed, Digest, EVER, EntryKey, Guard, Pin, RepoId, Time, Uuid, added, entry,
    fact, find, hosted, key, plain, put, remove, stored,
};

super::super::cases! { Catalog;
    a_commit_says_what_it_replaced,
    equal_bytes_share_the_first_object,
    guards_hold_or_refuse,
    a_refused_commit_changes_nothing,
    the_quota_counts_what_is_replaced_and_is_exact,
    the_first_digest_is_pinned_and_outlives_removal,
    a_pin_moves_when_told_and_says_from_where,
    pins_belong_to_one_name,
    forgetting_drops_the_pin_even_of_what_was_evicted,
    without_a_repository_nothing_is_stored,
    what_came_under_older_settings_is_not_stored,
    a_blob_being_deleted_is_revived_with_the_new_object,
    a_collected_blob_comes_back_as_a_new_one,
    what_is_replaced_becomes_garbage_unless_it_is_shared,
}

async fn a_commit_says_what_it_replaced(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut before = None;
    for body in ["one", "one", "two", "one"] {
        let committed = store.commit(plain(entry(repo, "a", body))).await.unwrap();
        let Committed::Stored {
            replaced, moved_pin, ..
        } = committed
        else {
            panic!("{committed:?}");
        };
        assert_eq!((replaced, moved_pin), (before, None));
        before = Some(Digest::sha256(body.as_bytes()));
    }
}

async fn equal_bytes_share_the_first_object(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    let first = put(&*store, entry(repo, "a", "same")).await;
    for (repo, path) in [(repo, "b"), (other, "a"), (repo, "a")] {
        let new = entry(repo, path, "same");
        assert_ne!(new.object, first.object);
        assert_eq!(put(&*store, new.clone()).await.object, first.object);
        assert_eq!(find(&*store, &new.id).await.unwrap().object, first.object);
    }
    let blobs = store.blobs(None, 10).await.unwrap();
    assert_eq!(blobs.len(), 1);
    assert_eq!((blobs[0].references, blobs[0].size), (3, 4));
    assert_eq!(blobs[0].object, first.object);
}

async fn guards_hold_or_refuse(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let old = entry(repo, "there", "old");
    let tag = old.client_etag();
    let some = |tag: &str| Guard::Matching(vec!["\"x\"".to_owned(), tag.to_owned()]);
    for (path, body, guard, holds) in [
        ("free", "new", Guard::Absent, true),
        ("there", "new", Guard::Absent, false),
        ("there", "old", Guard::Absent, false),
        ("free", "new", Guard::Matching(vec![]), false),
        ("there", "new", Guard::Matching(vec![]), true),
        ("there", "new", some(&tag), true),
        ("there", "new", some("\"y\""), false),
        ("there", "new", some(&format!("W/{tag}")), false),
        ("free", "new", some(&tag), false),
        ("free", "new", Guard::SameBytes, true),
        ("there", "old", Guard::SameBytes, true),
        ("there", "new", Guard::SameBytes, false),
        ("free", "new", Guard::NotNewerThan(Time(0)), true),
        ("there", "new", Guard::NotNewerThan(old.validated_at), true),
        (
            "there",
            "new",
            Guard::NotNewerThan(Time(old.validated_at.0 - 1)),
            false,
        ),
    ] {
        remove(&*store, &EntryKey::new(repo, key("free"))).await;
        put(&*store, old.clone()).await;
        let commit = Commit {
            guard: guard.clone(),
            ..plain(entry(repo, path, body))
        };
        let committed = store.commit(commit).await.unwrap();
        assert_eq!(
            matches!(committed, Committed::Stored { .. }),
            holds,
            "{path} {body} {guard:?}"
        );
        assert_eq!(committed == Committed::Refused, !holds);
    }
}

async fn a_refused_commit_changes_nothing(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let pinned = Commit {
        pin: Pin::Hold,
        ..plain(entry(repo, "a", "old"))
    };
    let before = stored(store.commit(pinned).await.unwrap());
    let new = Commit {
        facts: Some(vec![fact("f", "pkg", "1")]),
        pin: Pin::Move,
        ..plain(entry(repo, "a", "newer"))
    };
    for (refused, wanted) in [
        (
            Commit {
                guard: Guard::Absent,
                ..new.clone()
            },
            Committed::Refused,
        ),
        (
            Commit {
                quota: 4,
                ..new.clone()
            },
            Committed::OverQuota,
        ),
        (
            Commit {
                pin: Pin::Hold,
                ..new.clone()
            },
            Committed::PinnedOther(before.digest.clone()),
        ),
    ] {
        assert_eq!(store.commit(refused).await.unwrap(), wanted);
        assert_eq!(find(&*store, &before.id).await.as_ref(), Some(&before));
        assert_eq!(
            store.pinned(&before.id).await.unwrap().as_ref(),
            Some(&before.digest)
        );
        assert_eq!(store.fact(repo, &before.id.key, "f").await.unwrap(), None);
        assert_eq!(store.ledger(repo, "pkg", "1").await.unwrap(), None);
        assert_eq!(store.blobs(None, 10).await.unwrap().len(), 1);
    }
}

async fn the_quota_counts_what_is_replaced_and_is_exact(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    put(&*store, hosted(other, "a", "not counted here")).await;
    let fits = async |path: &str, body: &str, quota| {
        let committed = store
            .commit(Commit {
                quota,
                ..plain(hosted(repo, path, body))
            })
            .await
            .unwrap();
        assert!(
            matches!(committed, Committed::Stored { .. } | Committed::OverQuota),
            "{committed:?}"
        );
        matches!(committed, Committed::Stored { .. })
    };
    assert!(fits("a", "12345", 5).await);
    assert!(!fits("b", "1", 5).await);
    assert!(fits("b", "", 5).await, "nothing fits always");
    assert!(fits("a", "54321", 5).await, "what is replaced makes room");
    assert!(!fits("a", "123456", 5).await);
    assert!(fits("b", "12345", 10).await);
    assert!(!fits("c", "1", 10).await);
    assert!(fits("a", "1", 10).await);
    assert!(fits("c", "1234", 10).await);
    assert!(fits("d", "no limit at all", 0).await);
}

async fn the_first_digest_is_pinned_and_outlives_removal(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |body: &str| Commit {
        pin: Pin::Hold,
        ..plain(entry(repo, "a", body))
    };
    let first = stored(store.commit(commit("one")).await.unwrap());
    let refused = Committed::PinnedOther(first.digest.clone());
    assert_eq!(store.commit(commit("two")).await.unwrap(), refused);
    stored(store.commit(commit("one")).await.unwrap());
    assert_eq!(remove(&*store, &first.id).await.len(), 1);
    assert_eq!(store.pinned(&first.id).await.unwrap(), Some(first.digest.clone()));
    assert_eq!(store.commit(commit("two")).await.unwrap(), refused);
    assert_eq!(find(&*store, &first.id).await, None);
    stored(store.commit(commit("one")).await.unwrap());
    let unpinned = Commit {
        pin: Pin::No,
        ..commit("three")
    };
    stored(store.commit(unpinned).await.unwrap());
    assert_eq!(store.pinned(&first.id).await.unwrap(), Some(first.digest));
}

async fn a_pin_moves_when_told_and_says_from_where(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut pinned = None;
    for (body, moved) in [("one", None), ("one", None), ("two", Some("one")), ("two", None)] {
        let commit = Commit {
            pin: Pin::Move,
            ..plain(entry(repo, "a", body))
        };
        let Committed::Stored { entry, moved_pin, .. } = store.commit(commit).await.unwrap() else {
            panic!("not stored");
        };
        assert_eq!(moved_pin, moved.map(|body: &str| Digest::sha256(body.as_bytes())));
        pinned = Some(entry);
    }
    let last = pinned.unwrap();
    assert_eq!(store.pinned(&last.id).await.unwrap(), Some(last.digest));
}

async fn pins_belong_to_one_name(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    let mut variant = entry(repo, "a", "2");
    variant.id.variant = "json".into();
    let all = [
        entry(repo, "a", "1"),
        variant,
        entry(repo, "A", "3"),
        entry(other, "a", "4"),
    ];
    for entry in &all {
        let commit = Commit {
            pin: Pin::Hold,
            ..plain(entry.clone())
        };
        stored(store.commit(commit).await.unwrap());
    }
    for entry in &all {
        assert_eq!(
            store.pinned(&entry.id).await.unwrap().as_ref(),
            Some(&entry.digest)
        );
    }
}

async fn forgetting_drops_the_pin_even_of_what_was_evicted(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    for evicted_before in [false, true] {
        let commit = Commit {
            pin: Pin::Hold,
            ..plain(entry(repo, "a", "one"))
        };
        let one = stored(store.commit(commit).await.unwrap());
        if evicted_before {
            remove(&*store, &one.id).await;
        }
        let removed = store.remove(&[(one.id.clone(), None)], true).await.unwrap();
        assert_eq!(removed.is_empty(), evicted_before);
        assert_eq!(store.pinned(&one.id).await.unwrap(), None);
    }
}

async fn without_a_repository_nothing_is_stored(store: Arc<impl Catalog>) {
    let nobody = RepoId(Uuid::now_v7());
    let commit = Commit {
        pin: Pin::Hold,
        facts: Some(vec![fact("f", "pkg", "1")]),
        ..plain(entry(nobody, "a", "1"))
    };
    assert_eq!(store.commit(commit).await.unwrap(), Committed::NoRepository);
    assert_eq!(store.blobs(None, 10).await.unwrap(), []);
    assert_eq!(
        store.pinned(&EntryKey::new(nobody, key("a"))).await.unwrap(),
        None
    );
}

async fn what_came_under_older_settings_is_not_stored(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let commit = |revision| Commit {
        revision: Some(revision),
        ..plain(entry(repo, "a", "1"))
    };
    for other in [0, 2] {
        assert_eq!(
            store.commit(commit(other)).await.unwrap(),
            Committed::NoRepository
        );
    }
    assert_eq!(store.blobs(None, 10).await.unwrap(), []);
    stored(store.commit(commit(1)).await.unwrap());
}

async fn a_blob_being_deleted_is_revived_with_the_new_object(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let old = put(&*store, entry(repo, "a", "body")).await;
    remove(&*store, &old.id).await;
    let doomed = store.begin_deleting(EVER, 10).await.unwrap();
    assert_eq!(doomed.len(), 1);
    let new = entry(repo, "b", "body");
    assert_eq!(put(&*store, new.clone()).await.object, new.object);
    assert!(!store.end_deleting(&old.digest, &old.object).await.unwrap());
    assert!(
        !store.end_deleting(&new.digest, &new.object).await.unwrap(),
        "it lives"
    );
    assert_eq!(store.begin_deleting(EVER, 10).await.unwrap(), []);
    assert_eq!(find(&*store, &new.id).await, Some(new.clone()));
    let blobs = store.blobs(None, 10).await.unwrap();
    assert_eq!(
        (blobs.len(), &blobs[0].object, blobs[0].deleting),
        (1, &new.object, false)
    );
}

async fn a_collected_blob_comes_back_as_a_new_one(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let old = put(&*store, entry(repo, "a", "body")).await;
    remove(&*store, &old.id).await;
    store.begin_deleting(EVER, 10).await.unwrap();
    assert!(store.end_deleting(&old.digest, &old.object).await.unwrap());
    let new = entry(repo, "a", "body");
    assert_eq!(put(&*store, new.clone()).await.object, new.object);
}

async fn what_is_replaced_becomes_garbage_unless_it_is_shared(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    put(&*store, entry(repo, "a", "alone")).await;
    put(&*store, entry(repo, "b", "shared")).await;
    put(&*store, entry(repo, "c", "shared")).await;
    assert_eq!(store.begin_deleting(EVER, 10).await.unwrap(), []);
    put(&*store, entry(repo, "a", "new")).await;
    put(&*store, entry(repo, "b", "new")).await;
    let garbage = store.begin_deleting(EVER, 10).await.unwrap();
    assert_eq!(garbage.len(), 1);
    assert_eq!(garbage[0].digest, Digest::sha256(b"alone"));
}
