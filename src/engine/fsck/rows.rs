//! From rows to objects: is everything there that the catalog promises.

use artifactapi_core::digest::{Digest, Hasher};
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::BlobRow;
use futures_util::TryStreamExt as _;

use super::{Check, DANGLING, Damage, NEAR, PAGE, Suspected};

impl Check<'_> {
    /// Compares every blob row with its object.
    pub(super) async fn rows(&mut self) -> Result<(), Fault> {
        let mut before: Option<Digest> = None;
        loop {
            let rows = self.stores.catalog.blobs(before.as_ref(), PAGE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.counts.rows += 1;
                let digest = row.digest.clone();
                self.row(row, before.replace(digest)).await?;
            }
        }
    }

    async fn row(&mut self, row: BlobRow, before: Option<Digest>) -> Result<(), Fault> {
        let mut found = self.by_size(&row).await?;
        if found.is_none() && self.options.rehash {
            let wrong = self.wrong_bytes(&row).await?;
            found = wrong.map(|wrong| (Damage::WrongDigest, format!("{wrong}; {}", named(&row))));
        }
        if let Some((damage, detail)) = found {
            let name = row.object.to_string();
            self.suspect(damage, name, detail, Suspected::Row(row, before));
        }
        Ok(())
    }

    /// What is wrong with an object as far as its size tells.
    pub(super) async fn by_size(&self, row: &BlobRow) -> Result<Option<(Damage, String)>, Fault> {
        let named = named(row);
        Ok(match self.stores.blobs.size(&row.object).await? {
            None if row.references > 0 => Some((Damage::MissingObject, named)),
            None if row.deleting => Some((Damage::HalfDeleted, named)),
            None => Some((Damage::RowWithoutObject, named)),
            Some(size) if size != row.size => {
                let detail = format!("{size} bytes instead of {}; {named}", row.size);
                Some((Damage::WrongSize, detail))
            }
            Some(_) => None,
        })
    }

    /// The row as it is now, unless it has gone or names another object.
    pub(super) async fn row_again(
        &self,
        row: &BlobRow,
        before: Option<&Digest>,
    ) -> Result<Option<BlobRow>, Fault> {
        let near = self.stores.catalog.blobs(before, NEAR).await?;
        let same = |now: &BlobRow| now.digest == row.digest && now.object == row.object;
        Ok(near.into_iter().find(same))
    }

    /// What is wrong with the bytes of an object, if anything is.
    async fn wrong_bytes(&mut self, row: &BlobRow) -> Result<Option<String>, Fault> {
        match self.hash(row).await {
            Ok(None) => Ok(None),
            Ok(Some(found)) => Ok(Some(format!(
                "its bytes hash to {found} instead of {}",
                row.digest
            ))),
            Err(fault) => {
                // One object that cannot be read is damage; a store that cannot be reached ends the check.
                self.stores.blobs.check().await?;
                log::warn!(object = row.object.as_str(); "an object cannot be read: {fault:?}");
                Ok(Some(format!("it cannot be read: {fault}")))
            }
        }
    }

    /// The digest of an object where it is not what the row says. One that has gone meanwhile has none.
    async fn hash(&mut self, row: &BlobRow) -> Result<Option<String>, Fault> {
        let Some(mut bytes) = self.stores.blobs.open(&row.object, None).await? else {
            return Ok(None);
        };
        let mut hasher = Hasher::new([row.digest.alg()]);
        while let Some(piece) = bytes.try_next().await? {
            self.counts.rehashed += piece.len() as u64;
            hasher.update(&piece);
        }
        let found = hasher.finish();
        let same = found.matches(&row.digest) == Some(true);
        Ok((!same).then(|| found.sha256.to_string()))
    }

    /// Looks for entries that name a digest without a row.
    pub(super) async fn dangling(&mut self) -> Result<(), Fault> {
        for id in self.stores.catalog.dangling(DANGLING).await? {
            let detail = match self.stores.catalog.entry(&id).await? {
                Some(entry) => format!("{} {} bytes are lost", entry.lifetime.as_str(), entry.size),
                None => continue,
            };
            let name = self.entry_name(&id);
            self.suspect(Damage::DanglingEntry, name, detail, Suspected::Entry(id));
        }
        Ok(())
    }
}

fn named(row: &BlobRow) -> String {
    match row.references {
        0 => "no entry names it".to_owned(),
        1 => "1 entry names it".to_owned(),
        many => format!("{many} entries name it"),
    }
}
