//! Pages of entries, and their order of use.

use artifactapi_core::entry::Use;
use artifactapi_core::port::catalog::{Page, Touch, Usage};

use super::{Arc, Catalog, Entry, EntryKey, RepoId, Time, Uuid, added, entry, key, put, remove};

super::super::cases! { Catalog;
    pages_come_in_byte_order_and_join_up,
    a_prefix_is_a_prefix_of_bytes,
    a_search_is_literal_and_knows_case,
    a_listing_survives_removal_of_its_last_entry,
    usage_counts_every_entry_in_full,
    the_coldest_come_first,
    uses_add_up_and_never_go_back,
    a_replaced_entry_keeps_its_uses,
}

/// Paths in byte order; other orders (by case, by language, by UTF-16) differ.
const PATHS: [&str; 17] = [
    "", "%", "-", "A", "Z", "_", "a", "a b", "a%2Fb", "a-b", "a/", "a/b", "ab", "z", "é", "\u{ffee}", "😀",
];

async fn filled(store: &impl Catalog) -> RepoId {
    let repo = added(store, "name").await;
    let other = added(store, "other").await;
    for path in PATHS.iter().rev() {
        put(store, entry(repo, path, path)).await;
        put(store, entry(other, path, path)).await;
    }
    repo
}

async fn names(store: &impl Catalog, repo: RepoId, page: &Page) -> Vec<(String, String)> {
    let listed = store.page(repo, page).await.unwrap();
    let id = |id: EntryKey| (id.key.as_str().to_owned(), id.variant);
    listed.into_iter().map(|listed| id(listed.entry.id)).collect()
}

async fn paths(store: &impl Catalog, repo: RepoId, page: &Page) -> Vec<String> {
    names(store, repo, page)
        .await
        .into_iter()
        .map(|(path, _)| path)
        .collect()
}

fn all() -> Page {
    Page {
        limit: 1000,
        ..Page::default()
    }
}

async fn pages_come_in_byte_order_and_join_up(store: Arc<impl Catalog>) {
    let repo = filled(&*store).await;
    assert_eq!(paths(&*store, repo, &all()).await, PATHS);
    for variant in ["json", "B", "a"] {
        let mut entry = entry(repo, "a/b", variant);
        entry.id.variant = variant.to_owned();
        put(&*store, entry).await;
    }
    let whole = names(&*store, repo, &all()).await;
    assert_eq!(whole.len(), PATHS.len() + 3);
    assert!(whole.is_sorted());
    for limit in [1, 2, 5, 19] {
        let mut joined: Vec<(String, String)> = Vec::new();
        loop {
            let after = joined.last().cloned();
            let page = Page {
                after,
                limit,
                ..Page::default()
            };
            let page = names(&*store, repo, &page).await;
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, whole, "{limit}");
    }
    let nobody = RepoId(Uuid::now_v7());
    assert_eq!(paths(&*store, nobody, &all()).await, Vec::<String>::new());
}

async fn a_prefix_is_a_prefix_of_bytes(store: Arc<impl Catalog>) {
    let repo = filled(&*store).await;
    for prefix in ["a", "A", "a/", "é", "😀", "%", "_", "b", "\u{ffee}", "a/b"] {
        let page = Page {
            prefix: prefix.to_owned(),
            ..all()
        };
        let wanted: Vec<_> = PATHS.iter().filter(|path| path.starts_with(prefix)).collect();
        assert_eq!(
            paths(&*store, repo, &page).await.iter().collect::<Vec<_>>(),
            wanted,
            "{prefix}"
        );
        for after in PATHS {
            let after = Some((after.to_owned(), String::new()));
            let page = Page {
                after: after.clone(),
                ..page.clone()
            };
            let rest = wanted
                .iter()
                .filter(|path| Some((**path).to_string()) > after.clone().map(|a| a.0));
            let found = paths(&*store, repo, &page).await;
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                rest.copied().collect::<Vec<_>>()
            );
        }
    }
}

async fn a_search_is_literal_and_knows_case(store: Arc<impl Catalog>) {
    let repo = filled(&*store).await;
    for search in ["b", "B", "%", "_", "/", "é", "É", " ", "2F", "2f", "a.b", "😀"] {
        let page = Page {
            search: search.to_owned(),
            ..all()
        };
        let wanted: Vec<_> = PATHS.iter().filter(|path| path.contains(search)).collect();
        assert_eq!(
            paths(&*store, repo, &page).await.iter().collect::<Vec<_>>(),
            wanted,
            "{search}"
        );
    }
    let both = Page {
        prefix: "a".to_owned(),
        search: "b".to_owned(),
        after: Some(("a b".to_owned(), String::new())),
        limit: 2,
    };
    assert_eq!(paths(&*store, repo, &both).await, ["a%2Fb", "a-b"]);
}

async fn a_listing_survives_removal_of_its_last_entry(store: Arc<impl Catalog>) {
    let repo = filled(&*store).await;
    let first = names(
        &*store,
        repo,
        &Page {
            limit: 4,
            ..Page::default()
        },
    )
    .await;
    for (path, _) in &first {
        remove(&*store, &EntryKey::new(repo, key(path))).await;
    }
    let after = first.last().cloned();
    assert_eq!(paths(&*store, repo, &Page { after, ..all() }).await, PATHS[4..]);
}

async fn usage_counts_every_entry_in_full(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    assert_eq!(store.usage(repo).await.unwrap(), Usage::default());
    put(&*store, entry(repo, "a", "12345")).await;
    put(&*store, entry(repo, "b", "12345")).await;
    put(&*store, entry(other, "a", "1")).await;
    assert_eq!(
        store.usage(repo).await.unwrap(),
        Usage {
            objects: 2,
            bytes: 10
        }
    );
    put(&*store, entry(repo, "b", "1")).await;
    assert_eq!(store.usage(repo).await.unwrap(), Usage { objects: 2, bytes: 6 });
    remove(&*store, &EntryKey::new(repo, key("a"))).await;
    assert_eq!(store.usage(repo).await.unwrap(), Usage { objects: 1, bytes: 1 });
    let mut huge = entry(other, "huge", "huge");
    huge.size = 1 << 50;
    put(&*store, huge).await;
    assert_eq!(store.usage(other).await.unwrap().bytes, (1 << 50) + 1);
}

async fn touch(store: &impl Catalog, repo: RepoId, path: &str, at: i64, hits: u64) {
    let id = EntryKey::new(repo, key(path));
    store
        .record(
            &[],
            &[Touch {
                id,
                at: Time(at),
                hits,
            }],
        )
        .await
        .unwrap();
}

async fn the_coldest_come_first(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    for (path, fetched_at) in [("c", 30), ("a", 10), ("b", 20), ("B", 20)] {
        let fetched_at = Time(fetched_at);
        put(
            &*store,
            Entry {
                fetched_at,
                ..entry(repo, path, path)
            },
        )
        .await;
    }
    let coldest = async |since: Option<i64>, limit| {
        let listed = store.coldest(repo, since.map(Time), limit).await.unwrap();
        listed
            .into_iter()
            .map(|listed| listed.entry.id.key.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        coldest(None, 9).await,
        ["a", "B", "b", "c"],
        "never used counts from its fetch"
    );
    touch(&*store, repo, "a", 25, 1).await;
    assert_eq!(coldest(None, 9).await, ["B", "b", "a", "c"]);
    assert_eq!(coldest(None, 1).await, ["B"]);
    assert_eq!(coldest(Some(20), 9).await, ["B", "b"]);
    assert_eq!(coldest(Some(19), 9).await, Vec::<String>::new());
    assert_eq!(store.coldest(RepoId(Uuid::now_v7()), None, 9).await.unwrap(), []);
}

async fn usage_of(store: &impl Catalog, repo: RepoId, path: &str) -> Use {
    let page = Page {
        prefix: path.to_owned(),
        ..all()
    };
    store.page(repo, &page).await.unwrap()[0].usage
}

async fn uses_add_up_and_never_go_back(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    put(&*store, entry(repo, "a", "1")).await;
    assert_eq!(usage_of(&*store, repo, "a").await.hits, 0);
    touch(&*store, repo, "a", 5_000_000, 3).await;
    touch(&*store, repo, "a", 4_000_000, 2).await;
    touch(&*store, repo, "gone", 4_000_000, 2).await;
    let wanted = Use {
        last_access: Time(5_000_000),
        hits: 5,
    };
    assert_eq!(usage_of(&*store, repo, "a").await, wanted);
    assert_eq!(store.coldest(repo, None, 9).await.unwrap()[0].usage, wanted);
}

async fn a_replaced_entry_keeps_its_uses(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    put(&*store, entry(repo, "a", "1")).await;
    touch(&*store, repo, "a", 5_000_000, 3).await;
    let kept = usage_of(&*store, repo, "a").await;
    put(
        &*store,
        Entry {
            fetched_at: Time(9_000_000),
            ..entry(repo, "a", "2")
        },
    )
    .await;
    assert_eq!(usage_of(&*store, repo, "a").await, kept);
    remove(&*store, &EntryKey::new(repo, key("a"))).await;
    put(&*store, entry(repo, "a", "3")).await;
    assert_eq!(usage_of(&*store, repo, "a").await.hits, 0);
}
