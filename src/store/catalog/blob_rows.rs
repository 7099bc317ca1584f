//! Blobs as rows: what the collector and `fsck` need to know and do.

use std::collections::BTreeSet;

use artifactapi_core::entry::EntryKey;
use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::{BlobRow, BlobRows};
use artifactapi_core::{Digest, Entry, Time};
use async_trait::async_trait;

use super::db::{End, Query, Tx, transaction};
use super::entries::lock_blob;
use super::repositories::{changed, lock};
use super::rows::{self, Columns};
use super::sql;
use super::tables::{Dialect, Tables};

#[async_trait]
impl<D: Dialect> BlobRows for Tables<D> {
    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<BlobRow>, Fault> {
        let query = Query::new(sql::BLOBS)
            .bind(after.map(Digest::to_string).unwrap_or_default())
            .bind(i64::from(limit));
        self.db.all(query.slow()).await?.iter().map(rows::blob).collect()
    }

    async fn known_objects(&self, objects: &[ObjectName]) -> Result<Vec<ObjectName>, Fault> {
        let mut known = Vec::new();
        for objects in objects.chunks(self.db.rows()) {
            let query = Query::rows(sql::KNOWN_OBJECTS, objects.len(), self.db.rows()).slow();
            let query = objects
                .iter()
                .fold(query, |query, object| query.bind(object.as_str()));
            for row in self.db.all(query).await? {
                known.push(ObjectName::stored(Columns::of(&row).next::<String>()?));
            }
        }
        Ok(known)
    }

    async fn begin_deleting(&self, before: Time, limit: u32) -> Result<Vec<BlobRow>, Fault> {
        transaction!(self.db, |tx| mark(&mut tx, before, limit))
    }

    async fn end_deleting(&self, digest: &Digest, object: &ObjectName) -> Result<bool, Fault> {
        let query = Query::new(sql::END_DELETING)
            .bind(digest.to_string())
            .bind(object.as_str());
        Ok(self.db.run(query).await? > 0)
    }

    async fn condemn(&self, object: &ObjectName) -> Result<Vec<Entry>, Fault> {
        transaction!(self.db, |tx| self.condemn_in(&mut tx, object))
    }

    async fn dangling(&self, limit: u32) -> Result<Vec<EntryKey>, Fault> {
        let query = Query::new(sql::DANGLING).bind(i64::from(limit)).slow();
        let rows = self.db.all(query).await?;
        rows.iter().map(|row| Columns::of(row).entry_key()).collect()
    }
}

impl<D: Dialect> Tables<D> {
    async fn condemn_in(&self, tx: &mut Tx, object: &ObjectName) -> Result<End<Vec<Entry>>, Fault> {
        let Some(digest) = digest_of(tx, object).await? else {
            return Ok(End::Rollback(Vec::new()));
        };
        let repos: BTreeSet<_> = cached(tx, &digest)
            .await?
            .iter()
            .map(|entry| entry.id.repo)
            .collect();
        for repo in &repos {
            lock(tx, *repo).await?;
        }
        lock_blob(tx, &digest).await?;
        // What was read before the locks may have changed; from here on it cannot.
        if digest_of(tx, object).await?.as_ref() != Some(&digest) {
            return Ok(End::Rollback(Vec::new()));
        }
        let entries = cached(tx, &digest).await?;
        if entries.iter().any(|entry| !repos.contains(&entry.id.repo)) {
            return Err(tx.lost());
        }
        self.drop_entries(tx, &entries).await?;
        tx.run(Query::new(sql::DELETE_BLOB).bind(object.as_str())).await?;
        if !entries.is_empty() {
            changed(tx).await?;
        }
        Ok(End::Commit(entries))
    }
}

async fn mark(tx: &mut Tx, before: Time, limit: u32) -> Result<End<Vec<BlobRow>>, Fault> {
    let marking = Query::new(sql::MARK_DELETING)
        .bind(before.0)
        .bind(i64::from(limit));
    tx.run(marking.slow()).await?;
    let marked = Query::new(sql::DELETING).bind(i64::from(limit));
    let marked = tx.all(marked.slow()).await?;
    marked
        .iter()
        .map(rows::blob)
        .collect::<Result<_, _>>()
        .map(End::Commit)
}

/// The digest whose bytes an object holds.
async fn digest_of(tx: &mut Tx, object: &ObjectName) -> Result<Option<Digest>, Fault> {
    let row = tx.first(Query::new(sql::DIGEST_OF).bind(object.as_str())).await?;
    row.map(|row| Columns::of(&row).parsed()).transpose()
}

/// Cached entries of a digest; hosted ones are not among them.
async fn cached(tx: &mut Tx, digest: &Digest) -> Result<Vec<Entry>, Fault> {
    let query = Query::new(sql::CACHED_ENTRIES_OF_DIGEST).bind(digest.to_string());
    tx.all(query.slow()).await?.iter().map(rows::entry).collect()
}
