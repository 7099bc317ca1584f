//! The composition root: stores, workers, engine and server put together, and taken apart again in the reverse order.
//!
//! It decides nothing about packages: it only knows which part needs which.

#[path = "app/address.rs"]
mod address;
#[path = "app/database.rs"]
mod database;
#[path = "app/moving.rs"]
pub mod moving;
#[path = "app/stores.rs"]
mod stores;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_actors::handles::{GcSettings, Handles};
use artifactapi_actors::root::{self, Deps, Root, Settings};
use artifactapi_core::Fault;
use artifactapi_core::config::Config;
use artifactapi_core::port::upstream::Upstream;
use artifactapi_engine::admin::{self, Admin};
use artifactapi_engine::{self as engine, Engine, Hooks};
use artifactapi_upstream::Client;
use artifactapi_web::access::{self, Made, Tokens};
use artifactapi_web::metrics::Metrics;
use artifactapi_web::{self as web, Running};

pub use self::address::ADDRESS_FILE;
pub use self::stores::Stores;

/// Most threads for coordinators and their fetches.
const MOST_FETCH_ARBITERS: usize = 4;

/// A program that serves.
pub struct App {
    stores: Stores,
    root: Root,
    server: Running,
    made: Option<Made>,
}

/// What everything above the stores is made of.
struct Works {
    root: Root,
    handles: Handles,
    upstream: Arc<dyn Upstream>,
    hooks: Hooks,
}

impl App {
    /// Starts everything, in order. Needs a running actix system; the log is the caller's business.
    pub async fn start(config: Config) -> Result<Self, Fault> {
        let stores = Stores::open(&config).await?;
        moving::unmarked(stores.catalog.as_ref()).await?;
        stores.sweep().await?;
        let (tokens, made) =
            access::bootstrap(stores.catalog.as_ref(), &config.access, &config.store.data_dir).await?;
        let works = actors(&stores, &config).await?;
        let (root, parts) = works.parts(&stores, &config, tokens).await?;
        let server = web::serve(parts, &config).await?;
        let app = Self {
            stores,
            root,
            server,
            made,
        };
        address::leave(&config.store.data_dir, app.url())?;
        Ok(app)
    }

    /// Where it listens, as URLs.
    pub fn urls(&self) -> Vec<String> {
        let addresses = self.server.addresses().iter();
        addresses
            .map(|address| address::url(*address, self.server.is_secure()))
            .collect()
    }

    /// Where this machine reaches it.
    fn url(&self) -> String {
        address::local(self.server.addresses(), self.server.is_secure())
    }

    /// The admin token, if it was made just now.
    pub fn made(&self) -> Option<&Made> {
        self.made.as_ref()
    }

    /// Waits until the server ends by itself, which it does not do unless something is badly wrong.
    pub async fn ended(&self) {
        self.server.ended().await;
    }

    /// Stops everything, in the reverse order and in bounded time: requests, workers, stores.
    pub async fn stop(self, limit: Duration) {
        self.server.stop().await;
        self.root.stop(limit).await;
        self.stores.close().await;
    }
}

/// Starts the workers.
async fn actors(stores: &Stores, config: &Config) -> Result<Works, Fault> {
    let upstream: Arc<dyn Upstream> = Arc::new(Client::new(
        config.upstream.clone(),
        Arc::clone(&stores.clock),
        &stores.io,
    )?);
    let hooks = Hooks::default();
    let (evicted, repositories) = (hooks.clone(), hooks.clone());
    let renew = hooks.renewal(Arc::clone(&stores.catalog));
    let deps = Deps {
        clock: Arc::clone(&stores.clock),
        catalog: Arc::clone(&stores.catalog),
        hot: Arc::clone(&stores.hot),
        replica: root::identity(),
        blobs: Arc::clone(&stores.blobs),
        upstream: Arc::clone(&upstream),
        spools: Arc::clone(&stores.spools),
        settings: worker_settings(config),
        evicted: Arc::new(move |entries| evicted.evicted(entries)),
        repositories: Arc::new(move || repositories.repositories()),
        renew,
    };
    let (root, handles) = Root::start(deps).await?;
    Ok(Works {
        root,
        handles,
        upstream,
        hooks,
    })
}

impl Works {
    /// The engine and what the server serves of it.
    async fn parts(
        self,
        stores: &Stores,
        config: &Config,
        tokens: Tokens,
    ) -> Result<(Root, web::Parts), Fault> {
        let metrics = Arc::new(Metrics::default());
        let engine = Engine::new(engine::Parts {
            clock: Arc::clone(&stores.clock),
            catalog: Arc::clone(&stores.catalog),
            blobs: Arc::clone(&stores.blobs),
            hot: Arc::clone(&stores.hot),
            upstream: Arc::clone(&self.upstream),
            handles: self.handles.clone(),
            memos: Arc::new(stores::memos(config)),
            settings: config.cache.clone(),
            link_lifetime: Duration::from_secs(config.s3.link_seconds),
            observer: metrics.observer(),
            hooks: self.hooks,
        });
        let engine = Arc::new(engine.await?);
        let admin = Admin::new(admin::Parts {
            catalog: Arc::clone(&stores.catalog),
            blobs: Arc::clone(&stores.blobs),
            hot: Arc::clone(&stores.hot),
            upstream: self.upstream,
            handles: self.handles,
            clock: Arc::clone(&stores.clock),
            changes: Arc::clone(&engine) as Arc<dyn admin::Changes>,
            version: env!("CARGO_PKG_VERSION"),
        });
        Ok((
            self.root,
            web::Parts {
                engine,
                admin: Arc::new(admin),
                tokens,
                metrics,
            },
        ))
    }
}

fn worker_settings(config: &Config) -> Settings {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let day = Duration::from_hours(24);
    Settings {
        fetch_arbiters: cores.min(MOST_FETCH_ARBITERS),
        held_head: Duration::from_secs(config.cache.held_head_seconds),
        gc: GcSettings {
            grace: Duration::from_secs(config.gc.grace),
            orphan_grace: Duration::from_secs(config.gc.orphan_grace),
            interval: Duration::from_secs(config.gc.interval),
            keep_log: day.saturating_mul(u32::try_from(config.gc.log_retention_days).unwrap_or(u32::MAX)),
        },
        ..Settings::default()
    }
}
