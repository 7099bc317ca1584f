//! Making durable bytes visible: one transaction for the entry, its blob, its pin, its facts.

use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::{Commit, Committed, Pin};
use artifactapi_core::{Digest, Entry};

use super::db::{End, Query, Tx};
use super::entries::{by_id, find, holds, lock_blob, usage, used};
use super::facts;
use super::repositories::{changed, lock};
use super::rows::{Columns, int, to_json};
use super::sql;
use super::tables::{Dialect, Tables};

/// What the pin of a name says about new bytes.
enum Pinned {
    /// They may come; they took the place of this digest, if of any.
    Fine(Option<Digest>),
    /// Others are pinned.
    Other(Digest),
}

impl<D: Dialect> Tables<D> {
    /// See [`Entries::commit`](artifactapi_core::port::catalog::Entries::commit).
    ///
    /// Nothing is written before every condition holds; and what is read stays true, for nobody else changes the
    /// entries of a locked repository.
    pub(super) async fn commit_entry(&self, tx: &mut Tx, commit: &Commit) -> Result<End<Committed>, Fault> {
        let revision = lock(tx, commit.entry.id.repo).await?;
        if revision.is_none() || (commit.revision.is_some() && revision != commit.revision) {
            return Ok(End::Rollback(Committed::NoRepository));
        }
        let before = find(tx, &commit.entry.id).await?;
        if let Some(refused) = unmet(tx, commit, before.as_ref()).await? {
            return Ok(End::Rollback(refused));
        }
        let mut entry = commit.entry.clone();
        let moved_pin = match settle_pin(tx, &entry, commit.pin).await? {
            Pinned::Fine(moved) => moved,
            Pinned::Other(digest) => return Ok(End::Rollback(Committed::PinnedOther(digest))),
        };
        let replaced = before.map(|before| before.digest);
        let old = replaced.as_ref().filter(|old| **old != entry.digest);
        entry.object = place(tx, &entry, old).await?;
        put(tx, &entry).await?;
        if let Some(old) = old {
            self.release(tx, old).await?;
        }
        if let Some(facts) = &commit.facts {
            facts::replace(tx, &entry, facts).await?;
        }
        if moved_pin.is_some() {
            changed(tx).await?;
        }
        Ok(End::Commit(Committed::Stored {
            entry: Box::new(entry),
            replaced,
            moved_pin,
        }))
    }
}

/// Which condition of a commit does not hold, if any.
async fn unmet(tx: &mut Tx, commit: &Commit, before: Option<&Entry>) -> Result<Option<Committed>, Fault> {
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
async fn size_after(tx: &mut Tx, entry: &Entry, before: Option<&Entry>) -> Result<u64, Fault> {
    let held = used(&tx.one(usage(entry.id.repo)).await?)?.bytes;
    let freed = before.map_or(0, |before| before.size);
    Ok(held.saturating_sub(freed).saturating_add(entry.size))
}

/// Compares with the digest pinned under the name, and pins where nothing is.
async fn settle_pin(tx: &mut Tx, entry: &Entry, pin: Pin) -> Result<Pinned, Fault> {
    if pin == Pin::No {
        return Ok(Pinned::Fine(None));
    }
    let row = tx.first(by_id(sql::PIN, &entry.id)).await?;
    let pinned: Option<Digest> = row.map(|row| Columns::of(&row).parsed()).transpose()?;
    let known = pinned.is_some();
    let other = pinned.filter(|pinned| *pinned != entry.digest);
    match other {
        Some(other) if pin == Pin::Hold => return Ok(Pinned::Other(other)),
        None if known => return Ok(Pinned::Fine(None)),
        _ => {}
    }
    let query = by_id(sql::PUT_PIN, &entry.id).bind(entry.digest.to_string());
    tx.run(query).await?;
    Ok(Pinned::Fine(other))
}

/// Sees to the blob's row, and locks it with that of the `old` bytes; gives the object that holds the bytes. A blob
/// that is being deleted gets the new object for its own, so that the deletion under way can only hit the old one.
async fn place(tx: &mut Tx, entry: &Entry, old: Option<&Digest>) -> Result<ObjectName, Fault> {
    let (earlier, later) = match old {
        Some(old) if *old < entry.digest => (Some(old), None),
        old => (None, old),
    };
    if let Some(old) = earlier {
        lock_blob(tx, old).await?;
    }
    let query = Query::new(sql::PLACE_BLOB)
        .bind(entry.digest.to_string())
        .bind(entry.object.as_str())
        .bind(int(entry.size));
    let row = tx.one(query).await?;
    if let Some(old) = later {
        lock_blob(tx, old).await?;
    }
    Ok(ObjectName::stored(Columns::of(&row).next::<String>()?))
}

/// Writes the entry; its use counters stay what they were.
async fn put(tx: &mut Tx, entry: &Entry) -> Result<(), Fault> {
    let query = by_id(sql::PUT_ENTRY, &entry.id)
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
        .bind(entry.expires_at.map(|at| at.0));
    tx.run(query).await.map(drop)
}
