//! From rows to objects: is everything there that the catalog promises.

use artifactapi_core::digest::Hasher;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::BlobRow;
use futures_util::TryStreamExt as _;

use super::{Check, DANGLING, Damage, PAGE, Suspected};

impl Check<'_> {
    /// Compares every blob row with its object.
    pub(super) async fn rows(&mut self) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let rows = self.stores.catalog.blobs(after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.digest.clone());
            for row in rows {
                self.counts.rows += 1;
                self.row(row).await?;
            }
        }
    }

    async fn row(&mut self, row: BlobRow) -> Result<(), Fault> {
        let named = match row.references {
            0 => "no entry names it".to_owned(),
            1 => "1 entry names it".to_owned(),
            many => format!("{many} entries name it"),
        };
        let found = match self.stores.blobs.size(&row.object).await? {
            None if row.references == 0 => Some((Damage::RowWithoutObject, named)),
            None => Some((Damage::MissingObject, named)),
            Some(size) if size != row.size => {
                let detail = format!("{size} bytes instead of {}; {named}", row.size);
                Some((Damage::WrongSize, detail))
            }
            Some(_) if self.options.rehash => {
                let wrong = self.wrong_bytes(&row).await?;
                wrong.map(|wrong| (Damage::FlippedByte, format!("{wrong}; {named}")))
            }
            Some(_) => None,
        };
        if let Some((damage, detail)) = found {
            let name = row.object.to_string();
            self.suspect(damage, name, detail, Suspected::Row(row));
        }
        Ok(())
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
            self.counts.bytes_hashed += piece.len() as u64;
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
            self.suspect(Damage::DanglingLink, name, detail, Suspected::Entry(id));
        }
        Ok(())
    }
}
