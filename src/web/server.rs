//! The server: listeners, connections, and an orderly end.
//!
//! It is built on actix-http's `HttpService` rather than `HttpServer`, for its hook on `Expect: 100-continue`: a
//! client without a token hears 401 before it sends a body.

mod again;
mod connection;
mod expect;
mod listen;
mod timed;
mod tls;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_server::{ServerBuilder, ServerHandle};
use actix_web::web::Data;
use artifactapi_actors::spawn_named;
use artifactapi_core::config::Config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_engine::Engine;
use artifactapi_engine::admin::Admin;
use rustls::ServerConfig;
use tokio::sync::watch;

use self::connection::Setup;
use crate::access::Tokens;
use crate::metrics::Metrics;
use crate::state::{Phase, State, pace};

/// Most worker threads.
const MOST_WORKERS: usize = 512;

/// What is served.
pub struct Parts {
    /// Serves the repositories.
    pub engine: Arc<Engine>,
    /// Carries out the admin API.
    pub admin: Arc<Admin>,
    /// The tokens in force.
    pub tokens: Tokens,
    /// What was counted; its observer belongs to the engine.
    pub metrics: Arc<Metrics>,
}

/// A server that runs.
pub struct Running {
    addresses: Vec<SocketAddr>,
    secure: bool,
    phase: watch::Sender<Phase>,
    handle: ServerHandle,
    ended: watch::Receiver<bool>,
    drain: Duration,
    limit: Duration,
}

/// Binds and serves, with workers of its own. Needs a running actix system.
pub async fn serve(parts: Parts, config: &Config) -> Result<Running, Fault> {
    let listeners = listen::bind(&config.server)?;
    let addresses = listen::addresses(&listeners)?;
    let tls = tls::load(&config.server)?;
    let secure = tls.is_some();
    let (phase, phases) = watch::channel(Phase::Serving);
    let state = Data::new(State {
        engine: parts.engine,
        admin: parts.admin,
        access: parts.tokens,
        pace: pace(config),
        metrics: parts.metrics,
        metrics_open: config.access.metrics_open,
        phase: phases,
    });
    let mut builder = builder(config);
    let setup = Setup::new(state, config, builder.graceful_shutdown_signal());
    for listener in listeners {
        builder = attach(builder, listener, setup.clone(), tls.clone()).map_err(cannot_serve)?;
    }
    let server = builder.run();
    let handle = server.handle();
    let (ending, ended) = watch::channel(false);
    spawn_named("http-server", async move {
        if let Err(error) = server.await {
            log::error!("the server ended: {error}");
        }
        ending.send_replace(true);
    });
    let limit = Duration::from_secs(config.server.stop_seconds);
    let drain = Duration::from_secs(config.server.drain_seconds);
    Ok(Running {
        addresses,
        secure,
        phase,
        handle,
        ended,
        drain,
        limit,
    })
}

impl Running {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it speaks HTTPS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Waits until the server has ended, by itself or by [`stop`](Self::stop).
    pub async fn ended(&self) {
        // The sender is dropped at the end too.
        self.ended.clone().wait_for(|ended| *ended).await.ok();
    }

    /// Ends the server in bounded time. Readiness fails at once, and requests are still served for the drain time,
    /// so that balancers can look elsewhere; then nothing new is taken, and what runs may end within the limit.
    pub async fn stop(self) {
        self.phase.send_replace(Phase::Draining);
        tokio::time::sleep(self.drain).await;
        self.phase.send_replace(Phase::Stopping);
        // The server counts the limit itself; the margin is for its threads.
        let limit = self.limit + Duration::from_secs(2);
        if tokio::time::timeout(limit, self.handle.stop(true)).await.is_err() {
            log::warn!("requests were still running when the server ended");
            self.handle.stop(false).await;
        }
    }
}

fn builder(config: &Config) -> ServerBuilder {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match config.server.workers {
        0 => cores,
        workers => workers,
    };
    ServerBuilder::new()
        .workers(workers.min(MOST_WORKERS))
        .disable_signals()
        .shutdown_timeout(config.server.stop_seconds)
}

fn attach(
    builder: ServerBuilder,
    listener: TcpListener,
    setup: Setup,
    tls: Option<ServerConfig>,
) -> std::io::Result<ServerBuilder> {
    let name = format!("{:?}", listener.local_addr()?);
    match tls {
        None => builder.listen(name, listener, move || setup.plain()),
        Some(tls) => builder.listen(name, listener, move || setup.secured(tls.clone())),
    }
}

fn cannot_serve(error: impl std::fmt::Display) -> Fault {
    Fault::ours(Kind::Internal, "the server cannot be started", error)
}
