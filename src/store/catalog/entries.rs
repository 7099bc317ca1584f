//! Entries: look-ups, pages and removals. How they come into being is in `commit`.

use artifactapi_core::entry::EntryKey;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::{Commit, Committed, Entries, Guard, Listed, Page, Usage};
use artifactapi_core::{Digest, Entry, RepoId, Time};
use async_trait::async_trait;
use sqlx::SqliteExecutor;

use super::rows::{self, Columns};
use super::sql;
use super::sqlite::{Sqlite, Transaction};
use crate::trouble::catalog;

/// Longest key in bytes, as `core::key` has it; what is beyond every key is built from it.
const LONGEST_KEY: usize = 1024;

#[async_trait]
impl Entries for Sqlite {
    async fn entry(&self, id: &EntryKey) -> Result<Option<Entry>, Fault> {
        find(&self.read, id).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Fault> {
        self.commit_entry(commit).await
    }

    async fn pinned(&self, id: &EntryKey) -> Result<Option<Digest>, Fault> {
        pinned(&self.read, id).await
    }

    async fn revalidated(&self, entry: &Entry) -> Result<bool, Fault> {
        let done = sqlx::query(sql::REVALIDATE_ENTRY)
            .bind(entry.validated_at.0)
            .bind(entry.expires_at.map(|at| at.0))
            .bind(&entry.etag)
            .bind(&entry.last_modified)
            .bind(entry.id.repo.to_string())
            .bind(entry.id.key.as_str())
            .bind(&entry.id.variant)
            .bind(entry.digest.to_string())
            .execute(&self.write)
            .await
            .map_err(catalog)?;
        Ok(done.rows_affected() > 0)
    }

    async fn remove(&self, ids: &[(EntryKey, Option<Digest>)], forget: bool) -> Result<Vec<Entry>, Fault> {
        let mut tx = self.begin().await?;
        let mut removed = Vec::new();
        for (id, expected) in ids {
            let found = find(&mut *tx, id).await?;
            if let (Some(entry), Some(expected)) = (&found, expected)
                && entry.digest != *expected
            {
                continue;
            }
            if let Some(entry) = found {
                self.drop_entry(&mut tx, &entry).await?;
                removed.push(entry);
            }
            if forget {
                run(&mut tx, sql::DELETE_PIN, id).await?;
            }
        }
        tx.commit().await.map_err(catalog)?;
        Ok(removed)
    }

    async fn remove_guarded(&self, id: &EntryKey, guard: &Guard) -> Result<Option<bool>, Fault> {
        let mut tx = self.begin().await?;
        let Some(entry) = find(&mut *tx, id).await? else {
            return Ok(None);
        };
        if !holds(guard, Some(&entry), &entry.digest) {
            return Ok(Some(false));
        }
        self.drop_entry(&mut tx, &entry).await?;
        tx.commit().await.map_err(catalog)?;
        Ok(Some(true))
    }

    async fn page(&self, repo: RepoId, page: &Page) -> Result<Vec<Listed>, Fault> {
        let (after_key, after_variant) = page
            .after
            .as_ref()
            .map_or(("", ""), |(key, variant)| (key, variant));
        let rows = sqlx::query(sql::PAGE)
            .bind(repo.to_string())
            .bind(page.prefix.as_str().max(after_key))
            .bind(beyond(&page.prefix))
            .bind(after_key)
            .bind(after_variant)
            .bind(i64::from(page.after.is_some()))
            .bind(&page.search)
            .bind(i64::from(page.limit))
            .fetch_all(&self.read)
            .await;
        rows.map_err(catalog)?.iter().map(rows::listed).collect()
    }

    async fn coldest(
        &self,
        repo: RepoId,
        unused_since: Option<Time>,
        limit: u32,
    ) -> Result<Vec<Listed>, Fault> {
        let rows = sqlx::query(sql::COLDEST)
            .bind(repo.to_string())
            .bind(unused_since.map_or(i64::MAX, |at| at.0))
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await;
        rows.map_err(catalog)?.iter().map(rows::listed).collect()
    }

    async fn usage(&self, repo: RepoId) -> Result<Usage, Fault> {
        usage(&self.read, repo).await
    }
}

impl Sqlite {
    /// Removes an entry that was just found, and what hangs on it alone.
    pub(super) async fn drop_entry(&self, tx: &mut Transaction, entry: &Entry) -> Result<(), Fault> {
        run(tx, sql::DELETE_ENTRY, &entry.id).await?;
        self.release(tx, &entry.digest).await?;
        // A file's index will be fetched again before its facts are believed again.
        sqlx::query(sql::DELETE_ORPHAN_FACTS_OF)
            .bind(entry.id.repo.to_string())
            .bind(entry.id.key.as_str())
            .execute(&mut **tx)
            .await
            .map_err(catalog)?;
        Ok(())
    }

    /// An entry has stopped naming a digest: notes since when nobody does.
    pub(super) async fn release(&self, tx: &mut Transaction, digest: &Digest) -> Result<(), Fault> {
        sqlx::query(sql::BLOB_RELEASED)
            .bind(self.now().0)
            .bind(digest.to_string())
            .execute(&mut **tx)
            .await
            .map_err(catalog)?;
        Ok(())
    }
}

/// The entry of this identity.
pub(super) async fn find(db: impl SqliteExecutor<'_>, id: &EntryKey) -> Result<Option<Entry>, Fault> {
    let row = sqlx::query(sql::ENTRY)
        .bind(id.repo.to_string())
        .bind(id.key.as_str())
        .bind(&id.variant)
        .fetch_optional(db)
        .await
        .map_err(catalog)?;
    row.as_ref().map(rows::entry).transpose()
}

/// The digest pinned under a name.
pub(super) async fn pinned(db: impl SqliteExecutor<'_>, id: &EntryKey) -> Result<Option<Digest>, Fault> {
    let row = sqlx::query(sql::PIN)
        .bind(id.repo.to_string())
        .bind(id.key.as_str())
        .bind(&id.variant)
        .fetch_optional(db)
        .await
        .map_err(catalog)?;
    row.map(|row| Columns::of(&row).parsed()).transpose()
}

/// How much a repository holds.
pub(super) async fn usage(db: impl SqliteExecutor<'_>, repo: RepoId) -> Result<Usage, Fault> {
    let row = sqlx::query(sql::USAGE)
        .bind(repo.to_string())
        .fetch_one(db)
        .await
        .map_err(catalog)?;
    let mut columns = Columns::of(&row);
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

/// Runs a statement whose parameters are an entry's identity.
async fn run(tx: &mut Transaction, statement: &'static str, id: &EntryKey) -> Result<(), Fault> {
    let done = sqlx::query(statement)
        .bind(id.repo.to_string())
        .bind(id.key.as_str())
        .bind(&id.variant)
        .execute(&mut **tx)
        .await;
    done.map(drop).map_err(catalog)
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
