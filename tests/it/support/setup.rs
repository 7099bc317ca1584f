//! How a program is to be started: its settings, and on which stores.

use std::collections::BTreeMap;

use super::app::App;
use super::parts::{Parts, Servers, Shared};

/// How a program is to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    env: BTreeMap<String, String>,
    parts: Option<Parts>,
    servers: Option<Servers>,
}

impl Setup {
    /// Sets a variable of the program's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Which parts are real, whatever `IT_STORES` says.
    pub(crate) fn on(mut self, parts: Parts) -> Self {
        self.parts = Some(parts);
        self
    }

    /// On servers of the test's own instead of those of the environment.
    pub(crate) fn at(mut self, servers: &Servers) -> Self {
        self.servers = Some(servers.clone());
        self
    }

    /// Starts it on a new folder and stores of its own.
    pub(crate) async fn start(self) -> App {
        let parts = self.parts.unwrap_or_else(Parts::asked);
        let shared = Shared::make(parts, self.servers).await;
        App::launch(self.env, shared).await
    }

    /// As [`start`](Self::start), without waiting until it is ready: it may die before.
    pub(crate) async fn begin(self) -> App {
        let parts = self.parts.unwrap_or_else(Parts::asked);
        let shared = Shared::make(parts, self.servers).await;
        App::begin(self.env, shared)
    }

    /// Starts `count` replicas at once on the same new stores.
    pub(crate) async fn start_replicas(self, count: usize) -> Vec<App> {
        let parts = self.parts.unwrap_or_else(Parts::asked);
        let shared = Shared::make(parts, self.servers).await;
        let apps = (0..count).map(|_| App::launch(self.env.clone(), shared.clone()));
        futures_util::future::join_all(apps).await
    }
}
