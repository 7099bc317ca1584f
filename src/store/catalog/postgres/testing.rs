//! Databases for tests, on the server that `IT_POSTGRES_URL` names.

use std::sync::Arc;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::config::Postgresql;
use artifactapi_core::fault::Fault;
use artifactapi_core::repository::Secret;
use artifactapi_io::Io;
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

use super::{Connections, Patience, Postgres, checked, options};
use crate::catalog::db::End;
use crate::vault::Vault;

/// Leaves what a catalog has that has just been opened.
const EMPTY: &str = "TRUNCATE repositories, blobs, access_log, stats CASCADE; UPDATE counters SET value = 0; \
    DELETE FROM settings WHERE name <> 'secret_key_check'";

/// A fresh database, and the means to open a catalog in it.
pub(in crate::catalog) struct Place {
    pub(in crate::catalog) io: Io,
    pub(in crate::catalog) vault: Arc<Vault>,
    pub(in crate::catalog) settings: Postgresql,
    server: Url,
}

impl Place {
    /// Makes a database on the server for tests.
    pub(in crate::catalog) async fn new() -> Self {
        Self::made("").await
    }

    /// Makes a database that is not like the others.
    pub(in crate::catalog) async fn made(how: &str) -> Self {
        let server = shared_server();
        let database = format!("t{}", uuid::Uuid::now_v7().simple());
        let place = Self {
            io: Io::start().unwrap(),
            vault: Arc::new(Vault::given(&Secret("A".repeat(43))).unwrap()),
            settings: settings(&server, &database),
            server,
        };
        place
            .administer(&format!("CREATE DATABASE {database} {how}"))
            .await;
        place
    }

    pub(in crate::catalog) async fn open(&self) -> Postgres {
        self.try_open().await.unwrap()
    }

    pub(in crate::catalog) async fn try_open(&self) -> Result<Postgres, Fault> {
        self.try_open_as(&self.settings).await
    }

    pub(in crate::catalog) async fn try_open_as(&self, settings: &Postgresql) -> Result<Postgres, Fault> {
        Postgres::open(settings, &self.io, SystemClock::shared(), Arc::clone(&self.vault)).await
    }

    /// Opens a catalog that waits long, with so many connections made already, as after a while of use: those who do
    /// something at once then do it at once.
    pub(in crate::catalog) async fn open_warm(&self, connections: u32) -> Postgres {
        let options = options(&self.settings).unwrap();
        let connections_made = Connections::new(options, connections, Patience::endless(), &self.io);
        let db = checked(connections_made).await.unwrap();
        let opened = Postgres::over(db, SystemClock::shared(), Arc::clone(&self.vault)).await;
        let opened = opened.unwrap();
        warm(&opened, connections).await;
        opened
    }

    /// Empties a catalog of this place: cheaper than a new one.
    pub(in crate::catalog) async fn emptied(&self, catalog: &Postgres) -> Postgres {
        let mut tx = catalog.db.begin().await.unwrap();
        tx.script(EMPTY).await.unwrap();
        tx.commit().await.unwrap();
        catalog.clone()
    }

    /// A connection to the database that knows nothing of catalogs.
    pub(in crate::catalog) async fn connection(&self) -> PgConnection {
        let mut url = self.server.clone();
        url.set_path(&self.settings.database);
        PgConnection::connect(url.as_str()).await.unwrap()
    }

    /// Runs statements in the database; gives the number of rows of the last.
    pub(in crate::catalog) async fn run(&self, text: &str) -> u64 {
        run(self.connection().await, text).await
    }

    /// Ends every connection to the database; gives their number.
    pub(in crate::catalog) async fn cut_all(&self) -> u64 {
        self.administer(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.settings.database
        ))
        .await
    }

    /// Removes the database, whoever uses it.
    pub(in crate::catalog) async fn remove(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.settings.database);
        self.administer(&drop).await;
    }

    async fn administer(&self, text: &str) -> u64 {
        run(PgConnection::connect(self.server.as_str()).await.unwrap(), text).await
    }
}

/// Makes so many connections, unless they are there.
pub(in crate::catalog) async fn warm(catalog: &Postgres, connections: u32) {
    let all = join_all((0..connections).map(|_| catalog.db.begin())).await;
    for begun in all {
        let ended = begun.unwrap().end(Ok(End::Rollback(())), &mut 0).await;
        assert!(ended.is_break());
    }
}

async fn run(mut connection: PgConnection, text: &str) -> u64 {
    let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection);
    done.await.unwrap().rows_affected()
}

/// Settings for a database of a server.
pub(in crate::catalog) fn settings(server: &Url, database: &str) -> Postgresql {
    Postgresql {
        host: server.host_str().map(str::to_owned),
        port: server.port().unwrap().into(),
        user: server.username().to_owned(),
        password: server.password().map(|password| Secret(password.to_owned())),
        database: database.to_owned(),
        ..Postgresql::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn shared_server() -> Url {
    let url = std::env::var("IT_POSTGRES_URL")
        .expect("IT_POSTGRES_URL is missing: eval \"$(scripts/stores start)\" starts what tests need");
    Url::parse(&url).expect("IT_POSTGRES_URL is no URL")
}
