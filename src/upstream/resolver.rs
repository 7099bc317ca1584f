//! Names become addresses here, and every address is judged before a connection to it is tried.
//!
//! The connector uses exactly the addresses that passed, so a name cannot change its mind between check and connect.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::egress::Guard;

/// Addresses on their way.
pub(crate) type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Where addresses come from; injected so that tests own it.
pub(crate) trait Names: Send + Sync + 'static {
    /// Looks up a host name.
    fn look_up(&self, host: &str) -> Looking;
}

/// The machine's own resolver.
pub(crate) struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str) -> Looking {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The resolver of one client. Without a guard every address passes: it resolves a remote's own origins.
pub(crate) struct Resolver {
    /// Where addresses come from.
    pub(crate) names: Arc<dyn Names>,
    /// The rules for derived targets.
    pub(crate) guard: Option<Arc<Guard>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looking = self.names.look_up(name.as_str());
        let guard = self.guard.clone().filter(|guard| !guard.is_proxy(name.as_str()));
        Box::pin(async move {
            let found = looking.await?;
            if let Some(guard) = guard {
                // One bad address among good ones refuses the name: the connector would try them all.
                for address in &found {
                    guard.admit(*address)?;
                }
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
