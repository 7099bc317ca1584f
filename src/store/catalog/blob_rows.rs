//! Blobs as rows: what the collector and `fsck` need to know and do.

use artifactapi_core::entry::EntryKey;
use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::catalog::{BlobRow, BlobRows};
use artifactapi_core::{Digest, Entry, Time};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::rows::{self, Columns};
use super::sql;
use super::sqlite::Sqlite;
use crate::trouble::catalog;

#[async_trait]
impl BlobRows for Sqlite {
    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<BlobRow>, Fault> {
        let rows = sqlx::query(sql::BLOBS)
            .bind(after.map(Digest::to_string).unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await;
        rows.map_err(catalog)?.iter().map(rows::blob).collect()
    }

    async fn known_objects(&self, objects: &[ObjectName]) -> Result<Vec<ObjectName>, Fault> {
        let mut known = Vec::new();
        for objects in objects.chunks(sql::ROWS) {
            let text = sql::for_rows(sql::KNOWN_OBJECTS, objects.len());
            let mut query = sqlx::query_scalar(AssertSqlSafe(text)).persistent(objects.len() == sql::ROWS);
            for object in objects {
                query = query.bind(object.as_str());
            }
            let found: Vec<String> = query.fetch_all(&self.read).await.map_err(catalog)?;
            known.extend(found.into_iter().map(ObjectName::stored));
        }
        Ok(known)
    }

    async fn begin_deleting(&self, before: Time, limit: u32) -> Result<Vec<BlobRow>, Fault> {
        let mut tx = self.begin().await?;
        sqlx::query(sql::MARK_DELETING)
            .bind(before.0)
            .bind(i64::from(limit))
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
        let rows = sqlx::query(sql::DELETING)
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(catalog)?;
        let marked = rows.iter().map(rows::blob).collect::<Result<_, _>>()?;
        tx.commit().await.map_err(catalog)?;
        Ok(marked)
    }

    async fn end_deleting(&self, digest: &Digest, object: &ObjectName) -> Result<bool, Fault> {
        let done = sqlx::query(sql::END_DELETING)
            .bind(digest.to_string())
            .bind(object.as_str())
            .execute(&self.write)
            .await
            .map_err(catalog)?;
        Ok(done.rows_affected() > 0)
    }

    async fn condemn(&self, object: &ObjectName) -> Result<Vec<Entry>, Fault> {
        let mut tx = self.begin().await?;
        let entries = match sqlx::query_scalar(sql::DIGEST_OF)
            .bind(object.as_str())
            .fetch_optional(&mut *tx)
            .await
            .map_err(catalog)?
        {
            Some(digest) => cached(&mut tx, digest).await?,
            None => return Ok(Vec::new()),
        };
        for entry in &entries {
            self.drop_entry(&mut tx, entry).await?;
        }
        sqlx::query(sql::DELETE_BLOB)
            .bind(object.as_str())
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
        tx.commit().await.map_err(catalog)?;
        Ok(entries)
    }

    async fn dangling(&self, limit: u32) -> Result<Vec<EntryKey>, Fault> {
        let rows = sqlx::query(sql::DANGLING)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .map_err(catalog)?;
        rows.iter().map(|row| Columns::of(row).entry_key()).collect()
    }
}

/// Cached entries of a digest; hosted ones are not among them.
async fn cached(tx: &mut super::sqlite::Transaction, digest: String) -> Result<Vec<Entry>, Fault> {
    let rows = sqlx::query(sql::CACHED_ENTRIES_OF_DIGEST)
        .bind(digest)
        .fetch_all(&mut **tx)
        .await
        .map_err(catalog)?;
    rows.iter().map(rows::entry).collect()
}
