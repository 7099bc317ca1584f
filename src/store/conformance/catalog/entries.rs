//! Entries: reading, confirming, removing.

use super::{
    Arc, Catalog, Digest, Entry, EntryKey, Guard, Lifetime, Time, added, entry, find, hosted, key, put,
    remove,
};

super::super::cases! { Catalog;
    an_entry_reads_back_with_every_field,
    names_differ_by_every_byte_variant_and_repository,
    confirming_moves_times_and_given_validators,
    confirming_what_has_gone_or_changed_does_nothing,
    confirming_never_moves_times_back,
    removing_gives_what_it_removed,
    removing_spares_other_bytes_than_expected,
    a_guarded_removal_asks_its_guard,
}

async fn an_entry_reads_back_with_every_field(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut full = entry(repo, "dir/ünï '\"%2F.txt", "body");
    full.id.variant = "json".into();
    full.lifetime = Lifetime::Mutable;
    full.media = "application/json; charset=\"ü\"".into();
    full.etag = Some("W/\"tag\"".to_owned());
    full.last_modified = Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    full.kept.append("Link", "<a>; rel=\"next\"");
    full.kept.append("link", "ü");
    full.source_url = Some("http://up.example/ü?x=1".to_owned());
    full.proven = false;
    full.fetched_at = Time(-5);
    full.validated_at = Time(i64::MAX);
    full.expires_at = Some(Time(0));
    assert_eq!(find(&*store, &full.id).await, None);
    assert_eq!(put(&*store, full.clone()).await, full);
    assert_eq!(find(&*store, &full.id).await, Some(full));
    let empty = entry(repo, "", "");
    put(&*store, empty.clone()).await;
    assert_eq!(find(&*store, &empty.id).await, Some(empty));
}

async fn names_differ_by_every_byte_variant_and_repository(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    let mut all = Vec::new();
    let paths = [
        "a", "A", "ä", "Ä", "a\u{308}", "a/", "a b", "a_", "a%", "s\u{df}", "ss", "ﬀ", "😀",
    ];
    for repo in [repo, other] {
        for path in paths {
            for variant in ["", "json", "JSON"] {
                let mut entry = entry(repo, path, &format!("{repo} {path} {variant}"));
                entry.id.variant = variant.to_owned();
                put(&*store, entry.clone()).await;
                all.push(entry);
            }
        }
    }
    for entry in &all {
        assert_eq!(find(&*store, &entry.id).await.as_ref(), Some(entry));
    }
    remove(&*store, &all[0].id).await;
    assert_eq!(find(&*store, &all[0].id).await, None);
    for entry in &all[1..] {
        assert!(find(&*store, &entry.id).await.is_some(), "{:?}", entry.id);
    }
}

async fn confirming_moves_times_and_given_validators(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let mut wanted = entry(repo, "doc", "body");
    wanted.etag = Some("\"one\"".to_owned());
    wanted.last_modified = Some("then".to_owned());
    put(&*store, wanted.clone()).await;
    let mut confirmed = wanted.clone();
    confirmed.validated_at = Time(5_000_000);
    confirmed.expires_at = Some(Time(6_000_000));
    confirmed.etag = Some("\"two\"".to_owned());
    confirmed.last_modified = None;
    confirmed.media = "not/this".into();
    assert!(store.revalidated(&confirmed).await.unwrap());
    wanted.validated_at = Time(5_000_000);
    wanted.expires_at = Some(Time(6_000_000));
    wanted.etag = Some("\"two\"".to_owned());
    assert_eq!(find(&*store, &wanted.id).await, Some(wanted.clone()));
    wanted.expires_at = None;
    assert!(store.revalidated(&wanted).await.unwrap());
    assert_eq!(find(&*store, &wanted.id).await, Some(wanted));
}

async fn confirming_what_has_gone_or_changed_does_nothing(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let old = entry(repo, "doc", "old");
    assert!(!store.revalidated(&old).await.unwrap());
    let new = entry(repo, "doc", "new");
    put(&*store, new.clone()).await;
    let late = Entry {
        validated_at: Time(9),
        ..old
    };
    assert!(!store.revalidated(&late).await.unwrap());
    assert_eq!(find(&*store, &new.id).await, Some(new));
}

async fn confirming_never_moves_times_back(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let now = put(&*store, entry(repo, "doc", "body")).await;
    let late = Entry {
        validated_at: Time(now.validated_at.0 - 1),
        expires_at: Some(Time(7)),
        ..now.clone()
    };
    assert!(!store.revalidated(&late).await.unwrap());
    assert_eq!(find(&*store, &now.id).await, Some(now));
}

async fn removing_gives_what_it_removed(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let one = put(&*store, entry(repo, "one", "1")).await;
    let two = put(&*store, entry(repo, "two", "2")).await;
    let missing = EntryKey::new(repo, key("missing"));
    let ids = [(one.id.clone(), None), (missing, None), (one.id.clone(), None)];
    assert_eq!(store.remove(&ids, false).await.unwrap(), [one]);
    assert_eq!(find(&*store, &two.id).await, Some(two));
    assert_eq!(store.remove(&[], false).await.unwrap(), []);
}

async fn removing_spares_other_bytes_than_expected(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let one = put(&*store, entry(repo, "one", "new")).await;
    let other = Digest::sha256(b"old");
    assert_eq!(
        store
            .remove(&[(one.id.clone(), Some(other))], true)
            .await
            .unwrap(),
        []
    );
    assert_eq!(find(&*store, &one.id).await, Some(one.clone()));
    let same = Some(one.digest.clone());
    assert_eq!(
        store.remove(&[(one.id.clone(), same)], false).await.unwrap(),
        [one]
    );
}

async fn a_guarded_removal_asks_its_guard(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let one = put(&*store, hosted(repo, "one", "1")).await;
    let matching = |tag: &str| Guard::Matching(vec!["\"x\"".to_owned(), tag.to_owned()]);
    for refused in [matching("\"y\""), matching("W/\"z\""), Guard::Absent] {
        assert_eq!(
            store.remove_guarded(&one.id, &refused).await.unwrap(),
            Some(false)
        );
        assert_eq!(find(&*store, &one.id).await, Some(one.clone()));
    }
    for taken in [
        matching(&one.client_etag()),
        Guard::Matching(vec![]),
        Guard::None,
        Guard::SameBytes,
    ] {
        assert_eq!(
            store.remove_guarded(&one.id, &taken).await.unwrap(),
            Some(true),
            "{taken:?}"
        );
        assert_eq!(store.remove_guarded(&one.id, &taken).await.unwrap(), None);
        put(&*store, one.clone()).await;
    }
}
