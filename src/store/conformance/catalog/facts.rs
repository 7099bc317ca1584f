//! Facts and the ledger.

use artifactapi_core::port::catalog::LedgerRow;

use super::{
    Arc, Catalog, Commit, Digest, Entry, EntryKey, Fact, RepoId, Subject, Time, added, entry, fact, key,
    plain, put, remove, stored,
};

super::super::cases! { Catalog;
    facts_read_back_with_every_field,
    facts_belong_to_one_index,
    a_new_document_replaces_all_its_facts,
    of_two_facts_with_one_id_the_first_counts,
    facts_go_with_the_last_variant_of_their_index,
    a_very_large_index_is_taken_whole,
    the_longest_names_are_kept,
    names_that_no_database_indexes_spoil_nothing_else,
    the_ledger_keeps_the_first_sight,
    the_ledger_never_loses_what_a_registry_said,
    a_version_was_published_when_its_first_file_was,
}

async fn tell(store: &impl Catalog, index: Entry, facts: Vec<Fact>) -> Entry {
    let facts = Some(facts);
    stored(
        store
            .commit(Commit {
                facts,
                ..plain(index)
            })
            .await
            .unwrap(),
    )
}

async fn facts_read_back_with_every_field(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let digest = |text: &str| text.parse::<Digest>().unwrap();
    let full = Fact {
        id: "ünï '1.0'.whl".to_owned(),
        url: "http://files.example/ü?a=b#c".to_owned(),
        digests: vec![
            Digest::sha256(b"1"),
            digest("sha1:f572d396fae9206628714fb2ce00f72e94f2258f"),
            digest("md5:d41d8cd98f00b204e9800998ecf8427e"),
        ],
        size: Some(1 << 40),
        subject: Subject {
            package: Some("pkg".to_owned()),
            version: Some("1.0".to_owned()),
        },
        published: Some((Time(-1), "upload-time".to_owned())),
    };
    let bare = Fact {
        id: "bare".to_owned(),
        ..Fact::default()
    };
    let index = tell(
        &*store,
        entry(repo, "index", "i"),
        vec![full.clone(), bare.clone()],
    )
    .await;
    let owner = &index.id.key;
    assert_eq!(store.fact(repo, owner, &full.id).await.unwrap(), Some(full));
    assert_eq!(store.fact(repo, owner, "bare").await.unwrap(), Some(bare));
    assert_eq!(store.fact(repo, owner, "Bare").await.unwrap(), None);
    assert_eq!(store.fact(repo, owner, "").await.unwrap(), None);
}

async fn facts_belong_to_one_index(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    for (n, (repo, path)) in (0..).zip([(repo, "simple/a/"), (repo, "simple/A/"), (other, "simple/a/")]) {
        let said = Fact {
            size: Some(n),
            ..fact("file", "pkg", "1")
        };
        tell(&*store, entry(repo, path, &format!("{n}")), vec![said]).await;
    }
    for (n, (repo, path)) in (0..).zip([(repo, "simple/a/"), (repo, "simple/A/"), (other, "simple/a/")]) {
        let said = store.fact(repo, &key(path), "file").await.unwrap().unwrap();
        assert_eq!(said.size, Some(n));
    }
    assert_eq!(store.fact(other, &key("simple/A/"), "file").await.unwrap(), None);
}

async fn a_new_document_replaces_all_its_facts(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let index = |body: &str| entry(repo, "index", body);
    let says = async |id| store.fact(repo, &key("index"), id).await.unwrap().is_some();
    tell(
        &*store,
        index("1"),
        vec![fact("a", "p", "1"), fact("b", "p", "2")],
    )
    .await;
    tell(
        &*store,
        index("2"),
        vec![fact("b", "p", "2"), fact("c", "p", "3")],
    )
    .await;
    assert_eq!(
        [says("a").await, says("b").await, says("c").await],
        [false, true, true]
    );
    put(&*store, index("3")).await;
    assert!(says("b").await, "a commit without facts leaves them");
    tell(&*store, index("4"), vec![]).await;
    assert!(!says("b").await);
}

async fn of_two_facts_with_one_id_the_first_counts(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let second = Fact {
        size: Some(99),
        ..fact("a", "p", "1")
    };
    tell(
        &*store,
        entry(repo, "index", "1"),
        vec![fact("a", "p", "1"), second],
    )
    .await;
    let said = store.fact(repo, &key("index"), "a").await.unwrap();
    assert_eq!(said, Some(fact("a", "p", "1")));
}

async fn facts_go_with_the_last_variant_of_their_index(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let html = tell(&*store, entry(repo, "index", "html"), vec![fact("a", "p", "1")]).await;
    let mut json = entry(repo, "index", "json");
    json.id.variant = "json".into();
    let json = put(&*store, json).await;
    let says = async || store.fact(repo, &key("index"), "a").await.unwrap().is_some();
    remove(&*store, &html.id).await;
    assert!(says().await);
    remove(&*store, &json.id).await;
    assert!(!says().await);
    assert!(store.ledger(repo, "p", "1").await.unwrap().is_some());
}

/// So many bytes that do not compress.
fn noise(bytes: usize) -> String {
    let blocks = (0..bytes.div_ceil(64)).map(|n| Digest::sha256(&n.to_le_bytes()).hex().to_owned());
    blocks.collect::<String>()[..bytes].to_owned()
}

/// The longest key: segments of 255 bytes, and a query.
fn longest() -> String {
    let segment = noise(255);
    let path = [segment.as_str(); 4].join("/");
    format!("{path}?{}", noise(1024))
}

async fn the_longest_names_are_kept(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let name = noise(255);
    let facts = vec![fact(&name, &name, &name)];
    let mut index = entry(repo, &longest(), "index");
    index.id.variant = "json".into();
    let index = tell(&*store, index, facts.clone()).await;
    assert_eq!(super::find(&*store, &index.id).await, Some(index.clone()));
    let said = store.fact(repo, &index.id.key, &name).await.unwrap();
    assert_eq!(said.as_ref(), facts.first());
    assert!(store.ledger(repo, &name, &name).await.unwrap().is_some());
}

async fn names_that_no_database_indexes_spoil_nothing_else(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let (long, short) = (noise(9_000), noise(200));
    let facts = vec![
        fact(&long, "pkg", "1"),
        fact(&short, "pkg", &long),
        fact("other", &long, "1"),
    ];
    let index = tell(&*store, entry(repo, "index", "index"), facts).await;
    for (id, there) in [(&long, false), (&short, true), (&"other".to_owned(), true)] {
        let said = store.fact(repo, &index.id.key, id).await.unwrap();
        assert_eq!(said.is_some(), there, "{}", id.len());
    }
    assert_eq!(store.ledger(repo, "pkg", &long).await.unwrap(), None);
}

async fn a_very_large_index_is_taken_whole(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let facts = |from: u32, to: u32| -> Vec<_> {
        let facts = (from..to).map(|n| fact(&format!("file {n}"), "pkg", &format!("1.{n}")));
        facts.collect()
    };
    tell(&*store, entry(repo, "index", "1"), facts(0, 5_000)).await;
    tell(&*store, entry(repo, "index", "2"), facts(100, 5_050)).await;
    for (n, there) in [
        (0, false),
        (99, false),
        (100, true),
        (3_000, true),
        (5_049, true),
        (5_050, false),
    ] {
        let said = store
            .fact(repo, &key("index"), &format!("file {n}"))
            .await
            .unwrap();
        assert_eq!(said.is_some(), there, "{n}");
        let seen = store.ledger(repo, "pkg", &format!("1.{n}")).await.unwrap();
        assert_eq!(seen.is_some(), n < 5_050, "{n}");
    }
}

/// An index fetched at `at` that names one file of version 1.
async fn seen(store: &impl Catalog, repo: RepoId, at: i64, published: Option<(Time, String)>) -> LedgerRow {
    let index = Entry {
        fetched_at: Time(at),
        ..entry(repo, "index", "i")
    };
    tell(
        store,
        index,
        vec![Fact {
            published,
            ..fact("a", "pkg", "1")
        }],
    )
    .await;
    store.ledger(repo, "pkg", "1").await.unwrap().unwrap()
}

async fn the_ledger_keeps_the_first_sight(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let other = added(&*store, "other").await;
    assert_eq!(store.ledger(repo, "pkg", "1").await.unwrap(), None);
    for (at, first_seen) in [(500, 500), (900, 500), (300, 300), (400, 300)] {
        assert_eq!(seen(&*store, repo, at, None).await.first_seen, Time(first_seen));
    }
    assert_eq!(store.ledger(other, "pkg", "1").await.unwrap(), None);
    assert_eq!(store.ledger(repo, "Pkg", "1").await.unwrap(), None);
    remove(&*store, &EntryKey::new(repo, key("index"))).await;
    assert!(store.ledger(repo, "pkg", "1").await.unwrap().is_some());
}

async fn the_ledger_never_loses_what_a_registry_said(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let said = |at, field: &str| Some((Time(at), field.to_owned()));
    let row = |published: Option<i64>, source: Option<&str>| LedgerRow {
        first_seen: Time(500),
        published: published.map(Time),
        source: source.map(str::to_owned),
    };
    assert_eq!(seen(&*store, repo, 500, None).await, row(None, None));
    assert_eq!(
        seen(&*store, repo, 600, said(0, "time")).await,
        row(Some(0), Some("time"))
    );
    assert_eq!(seen(&*store, repo, 700, None).await, row(Some(0), Some("time")));
    assert_eq!(
        seen(&*store, repo, 800, said(9, "other")).await,
        row(Some(9), Some("other"))
    );
    let earlier = LedgerRow {
        first_seen: Time(400),
        ..row(Some(9), Some("other"))
    };
    assert_eq!(seen(&*store, repo, 400, None).await, earlier);
}

async fn a_version_was_published_when_its_first_file_was(store: Arc<impl Catalog>) {
    let repo = added(&*store, "name").await;
    let file = |id: &str, at| Fact {
        published: Some((Time(at), "time".to_owned())),
        ..fact(id, "pkg", "1")
    };
    let nameless = Fact {
        subject: Subject::default(),
        ..file("x", 1)
    };
    let unknown = fact("y", "pkg", "1");
    let facts = vec![file("a", 30), file("b", 20), nameless, unknown, file("c", 25)];
    tell(&*store, entry(repo, "index", "i"), facts).await;
    let row = store.ledger(repo, "pkg", "1").await.unwrap().unwrap();
    assert_eq!(row.published, Some(Time(20)));
}
