//! Repositories.

use artifactapi_core::port::catalog::{Created, Guard};
use artifactapi_core::repository::LocalSettings;
use futures_util::future::join_all;

use super::{
    Arc, Catalog, Commit, Digest, EVER, EntryKey, Pin, RepoId, Repository, Role, Time, added, entry, fact,
    find, key, plain, put, remote, repository, stored,
};

super::super::cases! { Catalog;
    repositories_read_back_as_they_were_by_name,
    a_taken_name_is_refused_and_the_first_stays,
    of_many_who_create_a_name_one_succeeds,
    replacing_needs_the_expected_revision,
    of_many_replacements_of_a_revision_one_succeeds,
    replacing_keeps_what_is_cached_unless_told,
    dropping_what_one_cached_spares_the_others,
    deleting_needs_the_expected_revision_and_takes_everything,
    a_created_again_name_starts_empty,
    the_epoch_rises_with_every_change_of_repositories,
    the_epoch_rises_with_pins_that_moved,
    the_epoch_rises_with_removals,
    secrets_sealed_anew_read_as_before,
}

async fn repositories_read_back_as_they_were_by_name(store: Arc<impl Catalog>) {
    let local = LocalSettings {
        description: "ünï\n'quoted\"".to_owned(),
        allow_overwrite: Some(false),
        quota_bytes: u64::MAX,
        anonymous_read: false,
        redirect_hits: true,
    };
    let all = [
        remote("a-b"),
        remote("a.b"),
        repository("a0", Role::Local(local)),
        remote("b"),
    ];
    for at in [2, 0, 3, 1] {
        assert_eq!(store.create_repository(&all[at]).await.unwrap(), Created::Done);
    }
    assert_eq!(store.repositories().await.unwrap(), all);
    assert_eq!(all[0].remote().unwrap().token.as_ref().unwrap().0, "s3cret");
}

async fn a_taken_name_is_refused_and_the_first_stays(store: Arc<impl Catalog>) {
    let first = remote("name");
    store.create_repository(&first).await.unwrap();
    let second = repository("name", Role::Local(LocalSettings::default()));
    assert_eq!(
        store.create_repository(&second).await.unwrap(),
        Created::NameTaken
    );
    assert_eq!(store.repositories().await.unwrap(), [first]);
}

async fn of_many_who_create_a_name_one_succeeds(store: Arc<impl Catalog>) {
    let all: Vec<_> = (0..10).map(|_| remote("name")).collect();
    let done = join_all(all.iter().map(|one| store.create_repository(one))).await;
    let won = all
        .iter()
        .zip(done)
        .filter(|(_, done)| matches!(done, Ok(Created::Done)));
    let won: Vec<_> = won.map(|(one, _)| one.clone()).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.repositories().await.unwrap(), won);
}

async fn replacing_needs_the_expected_revision(store: Arc<impl Catalog>) {
    let first = remote("name");
    store.create_repository(&first).await.unwrap();
    let mut next = first.clone();
    next.role = Role::Local(LocalSettings::default());
    next.revision = 2;
    next.updated_at = Time(9_000);
    assert!(!store.replace_repository(&next, 7, false).await.unwrap());
    assert_eq!(store.repositories().await.unwrap(), [first]);
    assert!(store.replace_repository(&next, 1, false).await.unwrap());
    assert_eq!(store.repositories().await.unwrap(), [next.clone()]);
    assert!(!store.replace_repository(&next, 1, false).await.unwrap());
    assert!(
        !store
            .replace_repository(&remote("other"), 1, false)
            .await
            .unwrap()
    );
}

async fn of_many_replacements_of_a_revision_one_succeeds(store: Arc<impl Catalog>) {
    let first = remote("name");
    store.create_repository(&first).await.unwrap();
    let next: Vec<_> = (0..10)
        .map(|n| Repository {
            revision: 2,
            updated_at: Time(n),
            ..first.clone()
        })
        .collect();
    let done = join_all(next.iter().map(|next| store.replace_repository(next, 1, false))).await;
    let won: Vec<_> = next
        .iter()
        .zip(done)
        .filter(|(_, done)| matches!(done, Ok(true)))
        .collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.repositories().await.unwrap(), [won[0].0.clone()]);
}

/// An index with facts and a pinned file.
async fn fill(store: &impl Catalog, repo: RepoId) -> [EntryKey; 2] {
    let index = Commit {
        facts: Some(vec![fact("file", "pkg", "1")]),
        ..plain(entry(repo, "index", "the index"))
    };
    let file = Commit {
        pin: Pin::Hold,
        ..plain(entry(repo, "file", "shared"))
    };
    [
        stored(store.commit(index).await.unwrap()).id,
        stored(store.commit(file).await.unwrap()).id,
    ]
}

async fn replacing_keeps_what_is_cached_unless_told(store: Arc<impl Catalog>) {
    let mut repo = remote("name");
    store.create_repository(&repo).await.unwrap();
    let [index, file] = fill(&*store, repo.id).await;
    repo.revision = 2;
    assert!(store.replace_repository(&repo, 1, false).await.unwrap());
    assert!(!store.replace_repository(&repo, 1, true).await.unwrap());
    assert!(find(&*store, &file).await.is_some(), "a lost race drops nothing");
    repo.revision = 3;
    assert!(store.replace_repository(&repo, 2, true).await.unwrap());
    assert_eq!(store.usage(repo.id).await.unwrap().objects, 0);
    assert_eq!(store.fact(repo.id, &index.key, "file").await.unwrap(), None);
    assert_eq!(store.pinned(&file).await.unwrap(), None);
    let seen = store.ledger(repo.id, "pkg", "1").await.unwrap();
    assert!(seen.is_some(), "what was seen stays seen");
    assert_eq!(store.begin_deleting(EVER, 10).await.unwrap().len(), 2);
}

async fn dropping_what_one_cached_spares_the_others(store: Arc<impl Catalog>) {
    let repo = remote("name");
    store.create_repository(&repo).await.unwrap();
    let other = added(&*store, "other").await;
    fill(&*store, repo.id).await;
    let [index, file] = fill(&*store, other).await;
    assert!(store.replace_repository(&repo, 1, true).await.unwrap());
    assert!(find(&*store, &file).await.is_some());
    assert!(store.fact(other, &index.key, "file").await.unwrap().is_some());
    assert!(store.pinned(&file).await.unwrap().is_some());
    assert_eq!(store.begin_deleting(EVER, 10).await.unwrap(), []);
}

async fn deleting_needs_the_expected_revision_and_takes_everything(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    let [index, file] = fill(&*store, repo).await;
    put(&*store, entry(other, "file", "shared")).await;
    assert!(!store.delete_repository(repo, 2).await.unwrap());
    assert!(find(&*store, &file).await.is_some());
    assert!(store.delete_repository(repo, 1).await.unwrap());
    assert!(!store.delete_repository(repo, 1).await.unwrap());
    assert_eq!(find(&*store, &index).await, None);
    assert_eq!(store.repositories().await.unwrap().len(), 1);
    assert_eq!(store.ledger(repo, "pkg", "1").await.unwrap(), None);
    let garbage = store.begin_deleting(EVER, 10).await.unwrap();
    assert_eq!(garbage.len(), 1, "the shared blob lives on");
    assert_eq!(garbage[0].digest, Digest::sha256(b"the index"));
}

async fn a_created_again_name_starts_empty(store: Arc<impl Catalog>) {
    let first = added(&*store, "name").await;
    let [index, file] = fill(&*store, first).await;
    assert!(store.delete_repository(first, 1).await.unwrap());
    let again = added(&*store, "name").await;
    assert_eq!(store.usage(again).await.unwrap().objects, 0);
    assert_eq!(store.fact(again, &index.key, "file").await.unwrap(), None);
    assert_eq!(store.ledger(again, "pkg", "1").await.unwrap(), None);
    assert_eq!(store.pinned(&EntryKey::new(again, file.key)).await.unwrap(), None);
}

async fn secrets_sealed_anew_read_as_before(store: Arc<impl Catalog>) {
    let one = remote("name");
    store.create_repository(&one).await.unwrap();
    let done = store.reseal().await.unwrap();
    assert_eq!((done.resealed, done.already, done.failed), (0, 1, 0));
    assert_eq!(done.key.len(), 8);
    assert_eq!(store.repositories().await.unwrap(), std::slice::from_ref(&one));
    let next = Repository { revision: 2, ..one };
    assert!(store.replace_repository(&next, 1, false).await.unwrap());
}

/// By how much the epoch has risen since the last time it was asked for.
async fn risen(store: &impl Catalog, before: &mut i64) -> i64 {
    let last = std::mem::replace(before, store.epoch().await.unwrap());
    *before - last
}

async fn the_epoch_rises_with_every_change_of_repositories(store: Arc<impl Catalog>) {
    let mut epoch = store.epoch().await.unwrap();
    let mut repo = remote("name");
    store.create_repository(&repo).await.unwrap();
    assert_eq!(risen(&*store, &mut epoch).await, 1, "a new one");
    store.create_repository(&remote("name")).await.unwrap();
    assert_eq!(risen(&*store, &mut epoch).await, 0, "a name that is taken");
    repo.revision = 2;
    assert!(store.replace_repository(&repo, 1, false).await.unwrap());
    assert_eq!(risen(&*store, &mut epoch).await, 1, "other settings");
    assert!(!store.replace_repository(&repo, 1, true).await.unwrap());
    assert!(!store.delete_repository(repo.id, 1).await.unwrap());
    assert_eq!(risen(&*store, &mut epoch).await, 0, "races that were lost");
    assert!(store.delete_repository(repo.id, 2).await.unwrap());
    assert_eq!(risen(&*store, &mut epoch).await, 1, "it has gone");
}

async fn the_epoch_rises_with_pins_that_moved(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut epoch = store.epoch().await.unwrap();
    for (body, pin, rises) in [
        ("1", Pin::Hold, 0),
        ("2", Pin::Hold, 0),
        ("2", Pin::Move, 1),
        ("2", Pin::Move, 0),
    ] {
        let commit = Commit {
            pin,
            ..plain(entry(repo, "a", body))
        };
        store.commit(commit).await.unwrap();
        assert_eq!(risen(&*store, &mut epoch).await, rises, "{body} {pin:?}");
    }
    let id = EntryKey::new(repo, key("a"));
    for (forget, rises, what) in [(false, 1, "an entry"), (true, 1, "its pin"), (true, 0, "nothing")] {
        store.remove(&[(id.clone(), None)], forget).await.unwrap();
        assert_eq!(risen(&*store, &mut epoch).await, rises, "{what}");
    }
}

async fn the_epoch_rises_with_removals(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let first = put(&*store, entry(repo, "a", "1")).await;
    let mut epoch = store.epoch().await.unwrap();
    let now = put(&*store, entry(repo, "a", "2")).await;
    let ids = [(first.id, Some(first.digest))];
    assert_eq!(store.remove(&ids, false).await.unwrap(), []);
    assert_eq!(
        risen(&*store, &mut epoch).await,
        0,
        "what has changed is not removed"
    );
    for (guard, rises) in [(Guard::Absent, 0), (Guard::None, 1), (Guard::None, 0)] {
        store.remove_guarded(&now.id, &guard).await.unwrap();
        assert_eq!(risen(&*store, &mut epoch).await, rises, "{guard:?}");
    }
    let bad = put(&*store, entry(repo, "a", "bad")).await;
    for (rises, what) in [(1, "lost bytes"), (0, "bytes that nobody knows")] {
        store.condemn(&bad.object).await.unwrap();
        assert_eq!(risen(&*store, &mut epoch).await, rises, "{what}");
    }
}
