//! The store from outside: its catalog by SQL, its objects as files or through the bucket. For planting damage, with the
//! program stopped, and for looking at what it keeps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3::Bucket;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::app::App;
use super::parts::Shared;

const OBJECT: &str =
    "SELECT e.digest, b.object FROM entries e JOIN blobs b ON b.digest = e.digest WHERE e.key = $1";

/// An object that the catalog names.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The digest of its bytes, as the catalog writes it.
    pub(crate) digest: String,
    /// Its name in the catalog.
    pub(crate) name: String,
}

impl Object {
    /// The last part of its name, which no other object has.
    pub(crate) fn last(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

enum Catalog {
    File(SqliteConnection),
    Server(PgConnection),
}

/// The store of a program.
pub(crate) struct Store {
    data: PathBuf,
    catalog: Catalog,
    bucket: Option<Box<Bucket>>,
}

impl Store {
    /// Opens the store of a program.
    pub(crate) async fn open(app: &App) -> Self {
        Self::of(app.data(), app.shared()).await
    }

    async fn of(data: &Path, shared: &Arc<Shared>) -> Self {
        let catalog = if shared.parts().postgresql {
            Catalog::Server(shared.database().await)
        } else {
            let options = SqliteConnectOptions::new()
                .filename(data.join("catalog.sqlite"))
                .foreign_keys(false);
            Catalog::File(options.connect().await.expect("the catalog opens"))
        };
        Self {
            data: data.to_owned(),
            catalog,
            bucket: shared.parts().s3.then(|| shared.bucket()),
        }
    }

    /// Runs a statement with texts for its parameters.
    pub(crate) async fn execute(&mut self, sql: &'static str, texts: &[&str]) {
        let done = match &mut self.catalog {
            Catalog::File(catalog) => {
                let query = texts
                    .iter()
                    .fold(sqlx::query(sql), |query, text| query.bind(text.to_string()));
                query.execute(catalog).await.map(drop)
            }
            Catalog::Server(catalog) => {
                let query = texts
                    .iter()
                    .fold(sqlx::query(sql), |query, text| query.bind(text.to_string()));
                query.execute(catalog).await.map(drop)
            }
        };
        done.expect("the statement is right");
    }

    /// The object behind a path.
    pub(crate) async fn object(&mut self, key: &str) -> Object {
        let found = match &mut self.catalog {
            Catalog::File(catalog) => {
                let row = sqlx::query(OBJECT).bind(key).fetch_one(catalog).await;
                row.map(|row| (row.get(0), row.get(1)))
            }
            Catalog::Server(catalog) => {
                let row = sqlx::query(OBJECT).bind(key).fetch_one(catalog).await;
                row.map(|row| (row.get(0), row.get(1)))
            }
        };
        let (digest, name) = found.unwrap_or_else(|error| panic!("{key}: {error}"));
        Object { digest, name }
    }

    /// Every object of the store, by name, those that nothing names as well.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(bucket) = &self.bucket {
            let pages = bucket.list(String::new(), None).await.expect("a listing");
            names.extend(
                pages
                    .into_iter()
                    .flat_map(|page| page.contents)
                    .map(|object| object.key)
                    .filter(|key| key != "installation"),
            );
        } else {
            for folder in ["blobs", "uploads"] {
                let files = files_under(&self.data.join(folder));
                names.extend(files.iter().map(|file| file.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        names
    }

    /// Where an object lies: the last part of its name is unique and ends the name of its file or key, too.
    async fn place(&self, object: &Object) -> String {
        let names = self.objects().await;
        let place = names.into_iter().find(|name| name.ends_with(object.last()));
        place.unwrap_or_else(|| panic!("nothing is stored for {}", object.name))
    }

    /// The bytes of an object.
    pub(crate) async fn read(&self, object: &Object) -> Vec<u8> {
        let place = self.place(object).await;
        match &self.bucket {
            Some(bucket) => {
                let got = bucket.get_object(&place).await.expect("the object");
                got.to_vec()
            }
            None => std::fs::read(place).expect("the object"),
        }
    }

    /// Puts other bytes in the place of an object's.
    pub(crate) async fn overwrite(&self, object: &Object, bytes: &[u8]) {
        let place = self.place(object).await;
        match &self.bucket {
            Some(bucket) => drop(
                bucket
                    .put_object(&place, bytes)
                    .await
                    .expect("the object is written"),
            ),
            None => std::fs::write(place, bytes).expect("the object is written"),
        }
    }

    /// Turns one bit of an object round.
    pub(crate) async fn flip(&self, object: &Object, at: usize) {
        let mut bytes = self.read(object).await;
        bytes[at] ^= 1;
        self.overwrite(object, &bytes).await;
    }

    /// Takes an object away.
    pub(crate) async fn remove(&self, object: &Object) {
        let place = self.place(object).await;
        self.remove_name(&place).await;
    }

    /// Takes every object away.
    pub(crate) async fn remove_all(&self) {
        for name in self.objects().await {
            self.remove_name(&name).await;
        }
    }

    async fn remove_name(&self, name: &str) {
        match &self.bucket {
            Some(bucket) => drop(bucket.delete_object(name).await.expect("the object goes")),
            None => std::fs::remove_file(name).expect("the object goes"),
        }
    }

    /// Leaves an object half-written, as a process does that died meanwhile; the word by which it is known.
    pub(crate) async fn begin(&self, word: &str) -> String {
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "a plain word");
        match &self.bucket {
            Some(bucket) => {
                let key = format!("uploads/{word}");
                let begun = bucket.initiate_multipart_upload(&key, "application/octet-stream");
                let begun = begun.await.expect("an upload");
                let part = bucket.put_multipart_chunk(
                    vec![1],
                    &key,
                    1,
                    &begun.upload_id,
                    "application/octet-stream",
                );
                part.await.expect("a part");
                // Servers tell the time of uploads in seconds.
                tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
            }
            None => std::fs::write(self.folder("tmp").join(word), b"half").expect("a file"),
        }
        word.into()
    }

    /// The file of an object in the data folder.
    pub(crate) async fn file(&self, object: &Object) -> PathBuf {
        assert!(self.bucket.is_none(), "the objects are in a bucket");
        self.place(object).await.into()
    }

    /// The folder below the data folder whose name begins so.
    pub(crate) fn folder(&self, beginning: &str) -> PathBuf {
        let mut folders = vec![self.data.clone()];
        while let Some(folder) = folders.pop() {
            for item in std::fs::read_dir(&folder).expect("a folder").flatten() {
                if item.path().is_dir() {
                    if item.file_name().to_string_lossy().starts_with(beginning) {
                        return item.path();
                    }
                    folders.push(item.path());
                }
            }
        }
        panic!("no folder {beginning}")
    }

    /// Closes the catalog.
    pub(crate) async fn close(self) {
        let closed = match self.catalog {
            Catalog::File(catalog) => catalog.close().await,
            Catalog::Server(catalog) => catalog.close().await,
        };
        closed.expect("the catalog closes");
    }
}

/// Every file below a folder.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = item.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}
