//! Which parts of a store are real servers, and what one program has of them: a database, a prefix, a bucket.
//!
//! `IT_STORES` is a comma list of `postgresql`, `redis` and `s3`; without it everything is embedded in the data folder.
//! Where the servers are is told by the variables that `scripts/stores start` prints.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Url;
use s3::creds::Credentials;
use s3::{Bucket, BucketConfiguration, Region};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// Which parts are real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The catalog is a PostgreSQL database.
    pub(crate) postgresql: bool,
    /// The hints are in Redis.
    pub(crate) redis: bool,
    /// The blobs are in a bucket.
    pub(crate) s3: bool,
}

impl Parts {
    /// All of them.
    pub(crate) const ALL: Self = Self {
        postgresql: true,
        redis: true,
        s3: true,
    };

    /// None of them: everything is in the data folder.
    pub(crate) const EMBEDDED: Self = Self {
        postgresql: false,
        redis: false,
        s3: false,
    };

    /// The catalog alone is on a server.
    pub(crate) const POSTGRESQL: Self = Self {
        postgresql: true,
        ..Self::EMBEDDED
    };

    /// What `IT_STORES` names.
    pub(crate) fn asked() -> Self {
        let asked = std::env::var("IT_STORES").unwrap_or_default();
        let names: Vec<&str> = asked.split(',').filter(|name| !name.is_empty()).collect();
        let known = ["postgresql", "redis", "s3"];
        let unknown = names.iter().find(|name| !known.contains(name));
        assert!(
            unknown.is_none(),
            "IT_STORES names {unknown:?}; known are {known:?}"
        );
        Self {
            postgresql: names.contains(&"postgresql"),
            redis: names.contains(&"redis"),
            s3: names.contains(&"s3"),
        }
    }
}

/// Where the real servers are, each with an account that may make databases and buckets.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// `postgres://user:password@host:port/postgres`.
    pub(crate) postgresql: Url,
    /// `redis://host:port/`.
    pub(crate) redis: Url,
    /// `http://access:secret@host:port`.
    pub(crate) s3: Url,
}

impl Servers {
    /// Those of the environment; a missing one fails the test.
    pub(crate) fn of_environment() -> Self {
        Self::named(|name| std::env::var(name).ok())
    }

    /// Those that `value` tells by the names of the variables.
    pub(crate) fn named(value: impl Fn(&str) -> Option<String>) -> Self {
        let url = |name: &str| {
            let text = value(name).unwrap_or_else(|| {
                panic!("{name} is not set: this test needs real servers; eval \"$(scripts/stores start)\"")
            });
            Url::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        Self {
            postgresql: url("IT_POSTGRES_URL"),
            redis: url("IT_REDIS_URL"),
            s3: url("IT_S3_URL"),
        }
    }
}

/// What the replicas of one installation share; nothing where all is embedded. Removed at the end.
#[derive(Debug)]
pub(crate) struct Shared {
    parts: Parts,
    servers: Option<Servers>,
    name: String,
}

impl Shared {
    /// A new database, prefix and bucket, as far as these parts are asked for.
    pub(crate) async fn make(parts: Parts, servers: Option<Servers>) -> Arc<Self> {
        let servers = (parts != Parts::EMBEDDED).then(|| servers.unwrap_or_else(Servers::of_environment));
        let shared = Self {
            parts,
            servers,
            name: name(),
        };
        if parts.postgresql {
            shared
                .administer(&format!("CREATE DATABASE {}", shared.name))
                .await;
        }
        if parts.s3 {
            shared.make_bucket().await;
        }
        Arc::new(shared)
    }

    /// Which parts are real.
    pub(crate) fn parts(&self) -> Parts {
        self.parts
    }

    fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("a part is real")
    }

    /// The program's environment.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: String| drop(env.insert(name.to_owned(), value));
        if self.parts.postgresql {
            let url = &self.servers().postgresql;
            set("DBHOST", host(url));
            set("DBPORT", port(url).to_string());
            set("DBUSER", url.username().into());
            set("DBPASS", url.password().unwrap_or_default().into());
            set("DBNAME", self.name.clone());
            set("ARTIFACTAPI_SECRET_KEY", KEY.into());
        }
        if self.parts.redis {
            set("REDIS_URL", self.servers().redis.to_string());
            set("ARTIFACTAPI_REDIS_PREFIX", format!("{}:", self.name));
        }
        if self.parts.s3 {
            let url = &self.servers().s3;
            set("MINIO_ENDPOINT", format!("{}:{}", host(url), port(url)));
            set("MINIO_ACCESS_KEY", url.username().into());
            set("MINIO_SECRET_KEY", url.password().unwrap_or_default().into());
            set("MINIO_BUCKET", self.bucket_name());
            set("MINIO_SECURE", "false".into());
        }
        env
    }

    /// A connection to the database, past all of its rules about references.
    pub(crate) async fn database(&self) -> PgConnection {
        let mut connection = connect(&self.servers().postgresql, Some(&self.name)).await;
        let lenient = sqlx::query("SET session_replication_role = replica");
        lenient.execute(&mut connection).await.expect("a superuser");
        connection
    }

    /// The bucket. Its client belongs to the runtime that asks.
    pub(crate) fn bucket(&self) -> Box<Bucket> {
        let (region, credentials) = self.account();
        let bucket = Bucket::new(&self.bucket_name(), region, credentials).expect("a bucket");
        bucket.with_path_style()
    }

    fn bucket_name(&self) -> String {
        self.name.replace('_', "-")
    }

    fn account(&self) -> (Region, Credentials) {
        let url = &self.servers().s3;
        let region = Region::Custom {
            region: "us-east-1".into(),
            endpoint: format!("http://{}:{}", host(url), port(url)),
        };
        let (access, secret) = (url.username(), url.password());
        let credentials = Credentials::new(Some(access), secret, None, None, None);
        (region, credentials.expect("access and secret key"))
    }

    async fn make_bucket(&self) {
        let (region, credentials) = self.account();
        let config = BucketConfiguration::default();
        let made = Bucket::create_with_path_style(&self.bucket_name(), region, credentials, config).await;
        let made = made.unwrap_or_else(|error| panic!("no bucket could be made: {error}"));
        assert_eq!(made.response_code, 200, "{}", made.response_text);
    }

    async fn administer(&self, sql: &str) {
        let mut connection = connect(&self.servers().postgresql, None).await;
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(connection.close().await);
    }

    async fn remove(&self) {
        if self.parts.postgresql {
            self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
                .await;
        }
        if self.parts.s3 {
            let bucket = self.bucket();
            for page in bucket.list(String::new(), None).await.expect("a listing") {
                for object in page.contents {
                    drop(bucket.delete_object(&object.key).await);
                }
            }
            drop(bucket.delete().await);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.servers.is_none() {
            return;
        }
        let remove = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(self.remove());
        };
        // A thread of its own, because the runtime of the test may be the one that drops.
        let removed = std::thread::scope(|scope| scope.spawn(remove).join());
        if removed.is_err() {
            eprintln!("{} could not be removed", self.name);
        }
    }
}

/// 32 bytes in Base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A name that no other test and no other run has.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_micros();
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    format!("it_{now:x}_{:x}_{count:x}", std::process::id())
}

fn host(url: &Url) -> String {
    url.host_str().expect("a host").into()
}

fn port(url: &Url) -> u16 {
    url.port().expect("a port")
}

async fn connect(server: &Url, database: Option<&str>) -> PgConnection {
    let options = PgConnectOptions::from_str(server.as_str()).expect("a URL of PostgreSQL");
    let options = database.into_iter().fold(options, PgConnectOptions::database);
    let connection = options.connect().await;
    connection.unwrap_or_else(|error| panic!("PostgreSQL at {}: {error}", host(server)))
}
