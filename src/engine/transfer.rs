//! Objects carried from one store of blobs into another. What is there already stays as it is, so that whoever is
//! interrupted begins again and loses nothing; what does not have its digest is not carried.

use artifactapi_core::Fault;
use artifactapi_core::digest::Hasher;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::{BlobRow, Catalog};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Rows read together.
const PAGE: u32 = 500;
/// Objects on their way at once.
const AT_ONCE: usize = 8;

/// What became of the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Objects carried now.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were there already.
    pub present: u64,
    /// Objects that are lost or damaged where they come from, by name; they stay behind.
    pub left: Vec<String>,
}

/// What became of one object.
enum Fate {
    Carried(u64),
    Present,
    /// It was on its way out: only its row is left, for the collector.
    Gone,
    Left(String),
}

/// Carries every object that `catalog` names from one store into the other. `told` hears how far it is.
pub async fn objects(
    catalog: &dyn Catalog,
    from: &dyn Blobs,
    to: &dyn Blobs,
    told: impl Fn(&Carried),
) -> Result<Carried, Fault> {
    let mut carried = Carried::default();
    let mut after = None;
    loop {
        let page = catalog.blobs(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(carried);
        };
        after = Some(last.digest.clone());
        let mut fates = stream::iter(page)
            .map(|row| carry(row, from, to))
            .buffer_unordered(AT_ONCE);
        while let Some(fate) = fates.try_next().await? {
            carried.count(fate);
        }
        told(&carried);
    }
}

impl Carried {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Carried(bytes) => {
                self.objects += 1;
                self.bytes += bytes;
            }
            Fate::Present => self.present += 1,
            Fate::Gone => {}
            Fate::Left(object) => self.left.push(object),
        }
    }
}

async fn carry(row: BlobRow, from: &dyn Blobs, to: &dyn Blobs) -> Result<Fate, Fault> {
    if to.size(&row.object).await? == Some(row.size) {
        return Ok(Fate::Present);
    }
    let name = row.object.to_string();
    let Some(mut body) = from.open(&row.object, None).await? else {
        return Ok(if row.deleting {
            Fate::Gone
        } else {
            Fate::Left(format!("{name} is missing"))
        });
    };
    let mut hasher = Hasher::new([row.digest.alg()]);
    let mut writer = to.create(&row.object).await?;
    while let Some(piece) = body.try_next().await? {
        hasher.update(&piece);
        writer.write(piece).await?;
    }
    if hasher.finish().matches(&row.digest) != Some(true) {
        return Ok(Fate::Left(format!("{name} has other bytes than its digest says")));
    }
    match writer.commit().await? {
        size if size == row.size => Ok(Fate::Carried(size)),
        size => Err(Fault::new(
            Kind::Internal,
            format!("{name} has {size} bytes, its row says {}", row.size),
        )),
    }
}

#[cfg(test)]
mod tests {
    use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
    use artifactapi_core::key::ObjectName;
    use artifactapi_core::port::catalog::{Commit, Guard, Pin};
    use artifactapi_core::repository::{LocalSettings, RepoId, Repository, Role};
    use artifactapi_core::{Digest, Headers, Key, Time};
    use artifactapi_store::blobs::fs::Folder;
    use artifactapi_store::catalog::sqlite::Sqlite;
    use bytes::Bytes;

    use super::*;

    async fn put(blobs: &Folder, object: &ObjectName, body: &[u8]) {
        let mut writer = blobs.create(object).await.unwrap();
        writer.write(Bytes::copy_from_slice(body)).await.unwrap();
        writer.commit().await.unwrap();
    }

    fn entry(repo: RepoId, body: &[u8]) -> Entry {
        let digest = Digest::sha256(body);
        Entry {
            id: EntryKey::new(repo, Key::new(digest.hex()).unwrap()),
            object: ObjectName::blob(&digest, uuid::Uuid::now_v7()),
            digest,
            size: body.len() as u64,
            lifetime: Lifetime::Hosted,
            media: "text/plain".to_owned(),
            etag: None,
            last_modified: None,
            kept: Headers::new(),
            source_url: None,
            proven: true,
            fetched_at: Time(0),
            validated_at: Time(0),
            expires_at: None,
        }
    }

    #[tokio::test]
    async fn what_is_named_and_sound_is_carried_once() {
        use artifactapi_core::port::catalog::{BlobRows as _, Entries as _, Repositories as _};

        let folder = tempfile::tempdir().unwrap();
        let catalog = Sqlite::open(&folder.path().join("c.sqlite")).await.unwrap();
        let from = Folder::open(folder.path().join("from")).unwrap();
        let to = Folder::open(folder.path().join("to")).unwrap();
        let repository = Repository {
            id: RepoId(uuid::Uuid::now_v7()),
            name: "own".to_owned(),
            package_type: "generic".to_owned(),
            role: Role::Local(LocalSettings::default()),
            revision: 1,
            created_at: Time(0),
            updated_at: Time(0),
        };
        catalog.create_repository(&repository).await.unwrap();
        let bodies = [b"one".as_slice(), b"flipped", b"lost", b"", b"going"];
        let entries = bodies.map(|body| entry(repository.id, body));
        let stored = [b"one".as_slice(), b"flopped", b"lost", b"", b"going"];
        for (entry, body) in entries.iter().zip(stored) {
            put(&from, &entry.object, body).await;
            let commit = Commit {
                entry: entry.clone(),
                revision: None,
                guard: Guard::None,
                pin: Pin::No,
                facts: None,
                quota: 0,
            };
            catalog.commit(commit).await.unwrap();
        }
        from.delete(&entries[2].object).await.unwrap();
        // A collector that ended half-way.
        let going = [(entries[4].id.clone(), None)];
        catalog.remove(&going, false).await.unwrap();
        assert_eq!(catalog.begin_deleting(Time(i64::MAX), 10).await.unwrap().len(), 1);
        from.delete(&entries[4].object).await.unwrap();
        put(&from, &ObjectName::upload(uuid::Uuid::now_v7()), b"garbage").await;

        let first = objects(&catalog, &from, &to, |_| ()).await.unwrap();
        assert_eq!((first.objects, first.bytes, first.present), (2, 3, 0));
        assert_eq!(first.left.len(), 2, "{:?}", first.left);
        let again = objects(&catalog, &from, &to, |_| ()).await.unwrap();
        assert_eq!((again.objects, again.present, again.left.len()), (0, 2, 2));
        let there = to.list("", None, 10).await.unwrap();
        let mut expected = [entries[0].object.clone(), entries[3].object.clone()];
        expected.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        assert_eq!(
            there.into_iter().map(|info| info.object).collect::<Vec<_>>(),
            expected
        );
    }
}
