//! Entries: look-ups, pages and removals. How they come into being is in `commit`.

use std::collections::BTreeSet;

use artifactapi_core::entry::EntryKey;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::{Commit, Committed, Entries, Guard, Listed, Page, Usage};
use artifactapi_core::{Digest, Entry, RepoId, Time};
use async_trait::async_trait;

use super::db::{End, Query, Row, Tx, transaction};
use super::repositories::{changed, lock};
use super::rows::{self, Columns};
use super::sql;
use super::tables::{Dialect, Tables};

/// Longest key in bytes, as `core::key` has it; what is beyond every key is built from it.
const LONGEST_KEY: usize = 1024;

#[async_trait]
impl<D: Dialect> Entries for Tables<D> {
    async fn entry(&self, id: &EntryKey) -> Result<Option<Entry>, Fault> {
        found(self.db.first(by_id(sql::ENTRY, id)).await?.as_ref())
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Fault> {
        transaction!(self.db, |tx| self.commit_entry(&mut tx, &commit))
    }

    async fn pinned(&self, id: &EntryKey) -> Result<Option<Digest>, Fault> {
        let row = self.db.first(by_id(sql::PIN, id)).await?;
        row.map(|row| Columns::of(&row).parsed()).transpose()
    }

    async fn revalidated(&self, entry: &Entry) -> Result<bool, Fault> {
        transaction!(self.db, |tx| revalidate(&mut tx, entry))
    }

    async fn remove(&self, ids: &[(EntryKey, Option<Digest>)], forget: bool) -> Result<Vec<Entry>, Fault> {
        transaction!(self.db, |tx| self.remove_all(&mut tx, ids, forget))
    }

    async fn remove_guarded(&self, id: &EntryKey, guard: &Guard) -> Result<Option<bool>, Fault> {
        transaction!(self.db, |tx| self.remove_one(&mut tx, id, guard))
    }

    async fn page(&self, repo: RepoId, page: &Page) -> Result<Vec<Listed>, Fault> {
        let (after_key, after_variant) = page
            .after
            .as_ref()
            .map_or(("", ""), |(key, variant)| (key, variant));
        let query = Query::new(sql::PAGE)
            .bind(repo.to_string())
            .bind(page.prefix.as_str().max(after_key))
            .bind(beyond(&page.prefix))
            .bind(after_key)
            .bind(after_variant)
            .bind(i64::from(page.after.is_some()))
            .bind(&page.search)
            .bind(i64::from(page.limit));
        self.db
            .all(query.slow())
            .await?
            .iter()
            .map(rows::listed)
            .collect()
    }

    async fn coldest(
        &self,
        repo: RepoId,
        unused_since: Option<Time>,
        limit: u32,
    ) -> Result<Vec<Listed>, Fault> {
        let query = Query::new(sql::COLDEST)
            .bind(repo.to_string())
            .bind(unused_since.map_or(i64::MAX, |at| at.0))
            .bind(i64::from(limit));
        self.db
            .all(query.slow())
            .await?
            .iter()
            .map(rows::listed)
            .collect()
    }

    async fn usage(&self, repo: RepoId) -> Result<Usage, Fault> {
        used(&self.db.one(usage(repo).slow()).await?)
    }
}

impl<D: Dialect> Tables<D> {
    async fn remove_all(
        &self,
        tx: &mut Tx,
        ids: &[(EntryKey, Option<Digest>)],
        forget: bool,
    ) -> Result<End<Vec<Entry>>, Fault> {
        // In order of their names, as everybody takes rows: so nobody waits for each other in a circle.
        for repo in ids.iter().map(|(id, _)| id.repo).collect::<BTreeSet<_>>() {
            lock(tx, repo).await?;
        }
        let (mut removed, mut forgotten, mut seen) = (Vec::new(), 0, BTreeSet::new());
        for (id, expected) in ids.iter().filter(|(id, _)| seen.insert(id)) {
            let found = find(tx, id).await?;
            let same = |entry: &Entry| expected.as_ref().is_none_or(|expected| entry.digest == *expected);
            if found.as_ref().is_some_and(|entry| !same(entry)) {
                continue;
            }
            if forget {
                forgotten += tx.run(by_id(sql::DELETE_PIN, id)).await?;
            }
            removed.extend(found);
        }
        if removed.is_empty() && forgotten == 0 {
            return Ok(End::Rollback(removed));
        }
        self.drop_entries(tx, &removed).await?;
        changed(tx).await?;
        Ok(End::Commit(removed))
    }

    async fn remove_one(
        &self,
        tx: &mut Tx,
        id: &EntryKey,
        guard: &Guard,
    ) -> Result<End<Option<bool>>, Fault> {
        lock(tx, id.repo).await?;
        let Some(entry) = find(tx, id).await? else {
            return Ok(End::Rollback(None));
        };
        if !holds(guard, Some(&entry), &entry.digest) {
            return Ok(End::Rollback(Some(false)));
        }
        self.drop_entries(tx, &[entry]).await?;
        changed(tx).await?;
        Ok(End::Commit(Some(true)))
    }

    /// Removes entries that were just found, and what hangs on them alone. Their repositories are locked.
    pub(super) async fn drop_entries(&self, tx: &mut Tx, entries: &[Entry]) -> Result<(), Fault> {
        let digests: BTreeSet<_> = entries.iter().map(|entry| &entry.digest).collect();
        for digest in &digests {
            lock_blob(tx, digest).await?;
        }
        let mut sorted: Vec<_> = entries.iter().map(|entry| &entry.id).collect();
        sorted.sort_unstable();
        for id in sorted {
            tx.run(by_id(sql::DELETE_ENTRY, id)).await?;
            // A file's index will be fetched again before its facts are believed again.
            let orphans = Query::new(sql::DELETE_ORPHAN_FACTS_OF)
                .bind(id.repo.to_string())
                .bind(id.key.as_str());
            tx.run(orphans).await?;
        }
        for digest in digests {
            self.release(tx, digest).await?;
        }
        Ok(())
    }

    /// An entry has stopped naming a digest, whose blob is locked: notes since when nobody does.
    pub(super) async fn release(&self, tx: &mut Tx, digest: &Digest) -> Result<(), Fault> {
        let query = Query::new(sql::BLOB_RELEASED)
            .bind(self.now().0)
            .bind(digest.to_string());
        tx.run(query).await.map(drop)
    }
}

async fn revalidate(tx: &mut Tx, entry: &Entry) -> Result<End<bool>, Fault> {
    lock(tx, entry.id.repo).await?;
    let query = Query::new(sql::REVALIDATE_ENTRY)
        .bind(entry.validated_at.0)
        .bind(entry.expires_at.map(|at| at.0))
        .bind(&entry.etag)
        .bind(&entry.last_modified)
        .bind(entry.id.repo.to_string())
        .bind(entry.id.key.as_str())
        .bind(&entry.id.variant)
        .bind(entry.digest.to_string());
    Ok(match tx.run(query).await? {
        0 => End::Rollback(false),
        _ => End::Commit(true),
    })
}

/// Keeps others from beginning or ceasing to name a digest until the transaction ends. What is asked about its entries
/// must be asked by a later statement: on PostgreSQL each sees what was committed before it began.
pub(super) async fn lock_blob(tx: &mut Tx, digest: &Digest) -> Result<(), Fault> {
    tx.lock(Query::new(sql::LOCK_BLOB).bind(digest.to_string())).await
}

/// The entry of this identity.
pub(super) async fn find(tx: &mut Tx, id: &EntryKey) -> Result<Option<Entry>, Fault> {
    found(tx.first(by_id(sql::ENTRY, id)).await?.as_ref())
}

fn found(row: Option<&Row>) -> Result<Option<Entry>, Fault> {
    row.map(rows::entry).transpose()
}

/// A statement whose parameters are an entry's identity.
pub(super) fn by_id<'q>(statement: &'static str, id: &'q EntryKey) -> Query<'q> {
    Query::new(statement)
        .bind(id.repo.to_string())
        .bind(id.key.as_str())
        .bind(&id.variant)
}

/// Asks how much a repository holds.
pub(super) fn usage(repo: RepoId) -> Query<'static> {
    Query::new(sql::USAGE).bind(repo.to_string())
}

/// The answer to [`usage`].
pub(super) fn used(row: &Row) -> Result<Usage, Fault> {
    let mut columns = Columns::of(row);
    Ok(Usage {
        objects: columns.count()?,
        bytes: columns.count()?,
    })
}

/// Whether a guard lets bytes of `digest` take the place of `existing`.
pub(super) fn holds(guard: &Guard, existing: Option<&Entry>, digest: &Digest) -> bool {
    match guard {
        Guard::None => true,
        Guard::Absent => existing.is_none(),
        Guard::Matching(tags) => {
            existing.is_some_and(|entry| tags.is_empty() || tags.contains(&entry.client_etag()))
        }
        Guard::SameBytes => existing.is_none_or(|entry| entry.digest == *digest),
        Guard::NotNewerThan(begun) => existing.is_none_or(|entry| entry.validated_at <= *begun),
    }
}

/// The first text in byte order that is after every key beginning with `prefix`.
fn beyond(prefix: &str) -> String {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (last..=char::MAX).nth(1);
        if let Some(next) = next {
            chars.push(next);
            return chars.into_iter().collect();
        }
    }
    char::MAX
        .to_string()
        .repeat(LONGEST_KEY / char::MAX.len_utf8() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_beyond_a_prefix_skips_what_is_no_character() {
        assert_eq!(beyond("a/b"), "a/c");
        assert_eq!(beyond("a\u{d7ff}"), "a\u{e000}");
        assert_eq!(beyond("a\u{10ffff}"), "b");
        assert!(beyond("") > "\u{10ffff}".repeat(256));
        assert!(beyond("\u{10ffff}") > "\u{10ffff}".repeat(256));
    }

    proptest! {
        #[test]
        fn the_range_of_a_prefix_holds_its_keys_and_no_others(prefix in "\\PC{0,4}", key in "\\PC{0,8}") {
            let inside = *key >= *prefix && key < beyond(&prefix);
            prop_assert_eq!(inside, key.starts_with(&prefix));
            let longer = format!("{prefix}{key}");
            prop_assert!(longer >= prefix && longer < beyond(&prefix));
        }
    }
}
