//! The data folder from outside: its catalog by SQL, its objects as files. For planting damage, with the program
//! stopped.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

/// The store of a stopped program.
pub(crate) struct Store {
    data: PathBuf,
    catalog: SqliteConnection,
}

impl Store {
    /// Opens the catalog in a data folder.
    pub(crate) async fn open(data: &Path) -> Self {
        let files = files_under(data);
        let file = files
            .iter()
            .find(|file| file.extension().is_some_and(|end| end == "db" || end == "sqlite"));
        let options = SqliteConnectOptions::new()
            .filename(file.expect("a catalog"))
            .foreign_keys(false);
        let catalog = options.connect().await.expect("the catalog opens");
        Self {
            data: data.to_owned(),
            catalog,
        }
    }

    /// Runs a statement with texts for its parameters.
    pub(crate) async fn execute(&mut self, sql: &'static str, texts: &[&str]) {
        let query = texts
            .iter()
            .fold(sqlx::query(sql), |query, text| query.bind(text.to_string()));
        query
            .execute(&mut self.catalog)
            .await
            .expect("the statement is right");
    }

    /// The digest and the file of the object behind a path.
    pub(crate) async fn object(&mut self, key: &str) -> (String, PathBuf) {
        let sql =
            "SELECT e.digest, b.object FROM entries e JOIN blobs b ON b.digest = e.digest WHERE e.key = $1";
        let row = sqlx::query(sql)
            .bind(key.to_owned())
            .fetch_one(&mut self.catalog)
            .await;
        let row = row.unwrap_or_else(|error| panic!("{key}: {error}"));
        let (digest, object): (String, String) = (row.get(0), row.get(1));
        (digest, self.file(&object))
    }

    /// The file of an object: the last part of its name is unique and ends the file's name, too.
    fn file(&self, object: &str) -> PathBuf {
        let last = object.rsplit('/').next().unwrap_or_default();
        let files = files_under(&self.data);
        let file = files.into_iter().find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(last)
        });
        file.unwrap_or_else(|| panic!("no file for {object}"))
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
        self.catalog.close().await.expect("the catalog closes");
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
