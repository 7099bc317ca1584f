//! Making durable bytes visible: one transaction for the entry, its blob, its pin, its facts.

use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::{Commit, Committed, Pin};
use artifactapi_core::{Digest, Entry};

use super::entries::{find, holds, pinned, usage};
use super::facts;
use super::repositories::revision;
use super::rows::{Columns, int, to_json};
use super::sql;
use super::sqlite::{Sqlite, Transaction};
use crate::trouble::catalog;

/// What the pin of a name says about new bytes.
enum Pinned {
    /// They may come; they took the place of this digest, if of any.
    Fine(Option<Digest>),
    /// Others are pinned.
    Other(Digest),
}

impl Sqlite {
    /// See [`Entries::commit`](artifactapi_core::port::catalog::Entries::commit).
    ///
    /// Nothing is written before every condition holds; and what is read stays true, for the transaction began as
    /// the only writer.
    pub(super) async fn commit_entry(&self, commit: Commit) -> Result<Committed, Fault> {
        let mut tx = self.begin().await?;
        let revision = revision(&mut tx, commit.entry.id.repo).await?;
        if revision.is_none() || (commit.revision.is_some() && revision != commit.revision) {
            return Ok(Committed::NoRepository);
        }
        let before = find(&mut *tx, &commit.entry.id).await?;
        if let Some(refused) = unmet(&mut tx, &commit, before.as_ref()).await? {
            return Ok(refused);
        }
        let Commit {
            mut entry,
            pin,
            facts,
            ..
        } = commit;
        let moved_pin = match settle_pin(&mut tx, &entry, pin).await? {
            Pinned::Fine(moved) => moved,
            Pinned::Other(digest) => return Ok(Committed::PinnedOther(digest)),
        };
        entry.object = place(&mut tx, &entry).await?;
        put(&mut tx, &entry).await?;
        let replaced = before.map(|before| before.digest);
        if let Some(old) = replaced.as_ref().filter(|old| **old != entry.digest) {
            self.release(&mut tx, old).await?;
        }
        if let Some(facts) = facts {
            facts::replace(&mut tx, &entry, facts).await?;
        }
        tx.commit().await.map_err(catalog)?;
        Ok(Committed::Stored {
            entry: Box::new(entry),
            replaced,
            moved_pin,
        })
    }
}

/// Which condition of a commit does not hold, if any.
async fn unmet(
    tx: &mut Transaction,
    commit: &Commit,
    before: Option<&Entry>,
) -> Result<Option<Committed>, Fault> {
    let Commit {
        entry, guard, quota, ..
    } = commit;
    if !holds(guard, before, &entry.digest) {
        return Ok(Some(Committed::Refused));
    }
    if *quota > 0 && size_after(tx, entry, before).await? > *quota {
        return Ok(Some(Committed::OverQuota));
    }
    Ok(None)
}

/// Bytes the repository would hold with `entry` in the place of `before`.
async fn size_after(tx: &mut Transaction, entry: &Entry, before: Option<&Entry>) -> Result<u64, Fault> {
    let held = usage(&mut **tx, entry.id.repo).await?.bytes;
    let freed = before.map_or(0, |before| before.size);
    Ok(held.saturating_sub(freed).saturating_add(entry.size))
}

/// Compares with the digest pinned under the name, and pins where nothing is.
async fn settle_pin(tx: &mut Transaction, entry: &Entry, pin: Pin) -> Result<Pinned, Fault> {
    if pin == Pin::No {
        return Ok(Pinned::Fine(None));
    }
    let pinned = pinned(&mut **tx, &entry.id).await?;
    let other = pinned.clone().filter(|pinned| *pinned != entry.digest);
    match other {
        Some(other) if pin == Pin::Hold => return Ok(Pinned::Other(other)),
        None if pinned.is_some() => return Ok(Pinned::Fine(None)),
        _ => {}
    }
    sqlx::query(sql::PUT_PIN)
        .bind(entry.id.repo.to_string())
        .bind(entry.id.key.as_str())
        .bind(&entry.id.variant)
        .bind(entry.digest.to_string())
        .execute(&mut **tx)
        .await
        .map_err(catalog)?;
    Ok(Pinned::Fine(other))
}

/// Sees to the blob's row; gives the object that holds the bytes. A blob that is being deleted gets the new object
/// for its own, so that the deletion under way can only hit the old one.
async fn place(tx: &mut Transaction, entry: &Entry) -> Result<ObjectName, Fault> {
    let row = sqlx::query(sql::BLOB)
        .bind(entry.digest.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(catalog)?;
    if let Some(row) = row {
        let mut columns = Columns::of(&row);
        let object = ObjectName::stored(columns.next::<String>()?);
        if !columns.next::<bool>()? {
            let named = sqlx::query(sql::BLOB_NAMED).bind(entry.digest.to_string());
            named.execute(&mut **tx).await.map_err(catalog)?;
            return Ok(object);
        }
    }
    sqlx::query(sql::PUT_BLOB)
        .bind(entry.digest.to_string())
        .bind(entry.object.as_str())
        .bind(int(entry.size))
        .execute(&mut **tx)
        .await
        .map_err(catalog)?;
    Ok(entry.object.clone())
}

/// Writes the entry; its use counters stay what they were.
async fn put(tx: &mut Transaction, entry: &Entry) -> Result<(), Fault> {
    sqlx::query(sql::PUT_ENTRY)
        .bind(entry.id.repo.to_string())
        .bind(entry.id.key.as_str())
        .bind(&entry.id.variant)
        .bind(entry.digest.to_string())
        .bind(int(entry.size))
        .bind(entry.lifetime.as_str())
        .bind(&entry.media)
        .bind(&entry.etag)
        .bind(&entry.last_modified)
        .bind(to_json(&entry.kept)?)
        .bind(&entry.source_url)
        .bind(entry.proven)
        .bind(entry.fetched_at.0)
        .bind(entry.validated_at.0)
        .bind(entry.expires_at.map(|at| at.0))
        .execute(&mut **tx)
        .await
        .map_err(catalog)?;
    Ok(())
}
