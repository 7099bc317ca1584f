//! Catalogs for tests, on either database, and what is put into them.

use std::path::PathBuf;
use std::sync::Arc;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::{Fault, RepoId, Repository, Time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use crate::catalog::db::{Db, Query};
use crate::catalog::postgres::{Postgres, testing::Place};
use crate::catalog::sqlite::Sqlite;
use crate::catalog::tables::{Dialect, Tables};
use crate::vault::Vault;

/// What every secret begins with.
pub(super) const CANARY: &str = "canary-hunter2";

/// A place for a catalog, and a file with keys: all in the folder, or with the database on a server.
pub(super) struct Fresh(pub(super) TempDir, Option<Place>);

/// A catalog and the database under it.
pub(super) struct Opened {
    catalog: Arc<dyn Catalog>,
    pub(super) db: Db,
}

impl Opened {
    pub(super) fn of<D: Dialect>(catalog: Tables<D>) -> Self {
        let db = catalog.db.clone();
        Self {
            catalog: Arc::new(catalog),
            db,
        }
    }

    /// Changes rows behind the catalog's back.
    pub(super) async fn run(&self, text: &'static str, value: Option<String>) {
        let query = value.into_iter().fold(Query::new(text), Query::bind);
        assert!(self.db.run(query).await.unwrap() > 0);
    }

    pub(super) async fn close(self) {
        self.db.close().await;
    }
}

impl std::ops::Deref for Opened {
    type Target = dyn Catalog;

    fn deref(&self) -> &Self::Target {
        self.catalog.as_ref()
    }
}

impl Fresh {
    pub(super) fn new() -> Self {
        Self(TempDir::new().unwrap(), None)
    }

    pub(super) async fn on_server() -> Self {
        Self(TempDir::new().unwrap(), Some(Place::new().await))
    }

    /// Removes what is on the server.
    pub(super) async fn remove(self) {
        if let Some(place) = self.1 {
            place.remove().await;
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.path().join("catalog.sqlite")
    }

    pub(super) fn keys(&self, numbers: &[u8]) {
        let keys = numbers.iter().map(|number| STANDARD.encode([*number; 32]));
        let file = self.0.path().join("keys");
        std::fs::write(&file, keys.collect::<Vec<_>>().join("\n")).unwrap();
    }

    /// Opens the catalog with the keys of the file.
    pub(super) async fn open(&self) -> Result<Opened, Fault> {
        let vault = Vault::read(&self.0.path().join("keys"))?;
        let (clock, vault) = (SystemClock::shared(), Arc::new(vault));
        Ok(match &self.1 {
            None => Opened::of(Sqlite::open_with(&self.file(), clock, vault).await?),
            Some(place) => Opened::of(Postgres::open(&place.settings, &place.io, clock, vault).await?),
        })
    }

    /// Whether any file but those with keys holds the text.
    pub(super) fn holds(&self, text: &str) -> bool {
        let holds = |file: std::fs::DirEntry| {
            let bytes = std::fs::read(file.path()).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        std::fs::read_dir(self.0.path()).unwrap().flatten().any(holds)
    }
}

/// A remote with a secret in every place.
pub(super) fn remote(name: &str) -> Repository {
    let mirror = |host: &str| json!({"url": host, "username": "m", "password": format!("{CANARY}-{host}")});
    let settings = json!({
        "base_url": "http://up.example/", "username": "u",
        "password": format!("{CANARY}-password"), "token": format!("{CANARY}-token"),
        "mirrors": [mirror("http://a.example/"), mirror("http://b.example/")],
    });
    Repository {
        id: RepoId(uuid::Uuid::now_v7()),
        name: name.to_owned(),
        package_type: "generic".to_owned(),
        role: serde_json::from_value(json!({"remote": settings})).unwrap(),
        revision: 1,
        created_at: Time(1),
        updated_at: Time(2),
    }
}
