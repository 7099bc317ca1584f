//! The catalog on a PostgreSQL server, for several replicas at once.
//!
//! A server that is away costs a caller a bounded wait or an immediate refusal, never a hang, and is used again as
//! soon as it is back. Whether a COMMIT holds whose answer did not come is not known, and nobody is told that it does.
//! The database must exist, in UTF-8, and belong to the user.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Clock;
use artifactapi_core::clock::SystemClock;
use artifactapi_core::config::Postgresql;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_io::Io;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::db::{Db, Patience, Query, Server as Connections};
use super::tables::{Dialect, Tables};
use super::{migrate, secrets};
use crate::vault::Vault;

/// How others see our connections.
const NAME: &str = "artifactapi";
/// How long the server lets a statement wait for a lock; a little less than we wait for the statement.
const LOCK_TIMEOUT: &str = "4500ms";
/// How long the server lets a transaction be idle whose owner may be gone.
const IDLE_TIMEOUT: &str = "10s";
/// Statements slower than this are logged.
const SLOW: Duration = Duration::from_secs(1);
/// Connections of a catalog that is only read.
const READERS: u32 = 2;
/// Not every encoding has every key.
const ENCODING: &str = "SHOW server_encoding";

/// A catalog on a server. Clones share its connections.
pub type Postgres = Tables<Server>;

/// The server of a catalog.
#[derive(Clone, Copy, Debug)]
pub struct Server;

impl Dialect for Server {
    const NAME: &'static str = "postgresql";
    const SHARED: bool = true;
}

impl Tables<Server> {
    /// Connects to the server and migrates its database; any number of replicas may do so at once. The clock says when
    /// a blob lost its last entry; keys that are not those of the catalog are refused.
    pub async fn open(
        settings: &Postgresql,
        io: &Io,
        clock: Arc<dyn Clock>,
        vault: Arc<Vault>,
    ) -> Result<Self, Fault> {
        let options = options(settings)?;
        let connections = Connections::new(options, settings.connections, patience(settings), io);
        let db = checked(connections).await?;
        Self::over(db, clock, vault).await
    }

    async fn over(db: Db, clock: Arc<dyn Clock>, vault: Arc<Vault>) -> Result<Self, Fault> {
        if !migrate::is_current(&db, migrate::POSTGRESQL).await? {
            migrate::apply(&db, migrate::POSTGRESQL, clock.now()).await?;
        }
        let catalog = Self {
            db,
            vault: Some(Arc::clone(&vault)),
            clock,
            dialect: Server,
        };
        secrets::check(&catalog, &vault).await?;
        Ok(catalog)
    }

    /// Connects to the server for reading, beside the replicas. Every method that would write fails; secrets stay
    /// sealed.
    pub async fn open_read_only(settings: &Postgresql, io: &Io) -> Result<Self, Fault> {
        let options = options(settings)?.options([("default_transaction_read_only", "on")]);
        let most = settings.connections.min(READERS);
        let db = checked(Connections::new(options, most, patience(settings), io)).await?;
        migrate::verify(&db, migrate::POSTGRESQL).await?;
        Ok(Self {
            db,
            vault: None,
            clock: SystemClock::shared(),
            dialect: Server,
        })
    }
}

/// The database behind connections, once it has shown that it is there and fits.
async fn checked(connections: Connections) -> Result<Db, Fault> {
    connections.reach().await?;
    let db = Db::Server(connections);
    let row = db.one(Query::new(ENCODING).slow()).await?;
    let encoding: &str = row.get(0)?;
    if encoding != "UTF8" {
        let what = format!("the catalog's database is encoded in {encoding}: make one in UTF8");
        return Err(Fault::new(Kind::StoreUnavailable, what));
    }
    Ok(db)
}

fn patience(settings: &Postgresql) -> Patience {
    Patience::new(Duration::from_secs(settings.statement_seconds))
}

fn options(settings: &Postgresql) -> Result<PgConnectOptions, Fault> {
    let host = settings.host.as_deref().unwrap_or("localhost");
    let port = u16::try_from(settings.port)
        .map_err(|error| Fault::ours(Kind::Internal, "the port of the catalog's server is none", error))?;
    let statement_timeout = format!("{}s", settings.statement_seconds);
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(port)
        .username(&settings.user)
        .database(&settings.database)
        .application_name(NAME)
        .ssl_mode(tls(settings, host))
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Warn, SLOW)
        .options([
            // What is acknowledged is on the disk, whatever the server does for others.
            ("synchronous_commit", "on"),
            ("statement_timeout", statement_timeout.as_str()),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
            ("jit", "off"),
        ]);
    if let Some(password) = &settings.password {
        options = options.password(&password.0);
    }
    if let Some(bundle) = &settings.ca_bundle {
        options = options.ssl_root_cert(bundle);
    }
    Ok(options)
}

/// Nothing is encrypted on the way through a socket of this machine. Who names authorities means them to be asked.
fn tls(settings: &Postgresql, host: &str) -> PgSslMode {
    match settings.tls.as_str() {
        _ if host.starts_with('/') => PgSslMode::Disable,
        "disable" => PgSslMode::Disable,
        "require" if settings.ca_bundle.is_some() => PgSslMode::VerifyCa,
        "require" => PgSslMode::Require,
        "verify-full" => PgSslMode::VerifyFull,
        _ => PgSslMode::Prefer,
    }
}

#[cfg(test)]
pub(in crate::catalog) mod testing;
#[cfg(test)]
mod tests;
