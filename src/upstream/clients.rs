//! One identity per remote and revision: its rules, and the HTTP clients that obey them.
//!
//! Connections are never shared across remotes: proxy, trust and guard differ. Each identity has two clients, one for
//! its own origins and one for strangers, because only the strangers' resolver is guarded. A newer revision replaces
//! an older one; requests that still run keep theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Origin;
use artifactapi_core::repository::RepoId;
use reqwest::redirect;
use url::Url;

use crate::egress::{Guard, Trust};
use crate::resolver::{Names, Resolver};
use crate::tls::Trusted;

/// Identities kept; the one unused for longest makes room.
const MOST: usize = 256;

/// Idle connections kept per host, and how long.
const IDLE_CONNECTIONS: usize = 16;
const IDLE_TIME: Duration = Duration::from_mins(1);

/// How we name ourselves.
const USER_AGENT: &str = concat!("artifactapi/", env!("CARGO_PKG_VERSION"));

/// One remote as seen by strangers.
pub(crate) struct Identity {
    /// Its settings.
    pub(crate) origin: Arc<Origin>,
    /// Where its requests may go.
    pub(crate) guard: Arc<Guard>,
    own: OnceLock<reqwest::Client>,
    stranger: OnceLock<reqwest::Client>,
}

/// Every identity in use.
pub(crate) struct Identities {
    trusted: Arc<Trusted>,
    names: Arc<dyn Names>,
    connect: Duration,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    rows: HashMap<RepoId, (Arc<Identity>, u64)>,
    uses: u64,
}

impl Identities {
    /// None yet. `connect` limits each connection attempt.
    pub(crate) fn new(names: Arc<dyn Names>, trusted: Arc<Trusted>, connect: Duration) -> Self {
        Self {
            trusted,
            names,
            connect,
            table: Mutex::default(),
        }
    }

    /// The identity of an origin.
    pub(crate) fn of(&self, origin: &Arc<Origin>) -> Arc<Identity> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.uses = table.uses.wrapping_add(1);
        let now = table.uses;
        if let Some((known, used)) = table.rows.get_mut(&origin.repo) {
            if known.origin.revision == origin.revision {
                *used = now;
                return Arc::clone(known);
            }
            if known.origin.revision > origin.revision {
                return Identity::new(origin);
            }
        }
        let fresh = Identity::new(origin);
        table.rows.insert(origin.repo, (Arc::clone(&fresh), now));
        table.shrink();
        fresh
    }

    /// The client of an identity for own origins or for strangers.
    pub(crate) fn client(&self, identity: &Identity, trust: Trust) -> Result<reqwest::Client, Fault> {
        let (slot, guard) = match trust {
            Trust::Own => (&identity.own, None),
            Trust::Stranger => (&identity.stranger, Some(Arc::clone(&identity.guard))),
        };
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let client = self.build(&identity.origin, guard)?;
        Ok(slot.get_or_init(|| client).clone())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where clients for strangers are made"
    )]
    fn build(&self, origin: &Origin, guard: Option<Arc<Guard>>) -> Result<reqwest::Client, Fault> {
        let names = Arc::clone(&self.names);
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(self.trusted.config(origin.ca_bundle.as_deref())?)
            .dns_resolver(Arc::new(Resolver { names, guard }))
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(self.connect)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIME)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .tcp_keepalive(Duration::from_mins(1));
        if let Some(proxy) = &origin.egress_proxy {
            builder = builder.proxy(self::proxy(proxy)?);
        }
        builder.build().map_err(unusable)
    }
}

/// The proxy of a remote. A scheme the HTTP library does not know would make it connect directly.
fn proxy(url: &Url) -> Result<reqwest::Proxy, Fault> {
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
        return Err(unusable("no scheme of a proxy"));
    }
    reqwest::Proxy::all(url.clone()).map_err(|error| unusable(error.without_url()))
}

fn unusable(error: impl std::fmt::Display) -> Fault {
    Fault::ours(
        Kind::Internal,
        "the remote's egress settings cannot be used",
        error,
    )
}

impl Identity {
    fn new(origin: &Arc<Origin>) -> Arc<Self> {
        Arc::new(Self {
            origin: Arc::clone(origin),
            guard: Arc::new(Guard::of(origin)),
            own: OnceLock::new(),
            stranger: OnceLock::new(),
        })
    }
}

impl Table {
    fn shrink(&mut self) {
        if self.rows.len() <= MOST {
            return;
        }
        let oldest = self.rows.iter().min_by_key(|(_, (_, used))| *used);
        if let Some(repo) = oldest.map(|(repo, _)| *repo) {
            self.rows.remove(&repo);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::SystemNames;

    fn origin(repo: u128, revision: i64) -> Arc<Origin> {
        Arc::new(Origin {
            repo: RepoId(uuid::Uuid::from_u128(repo)),
            revision,
            roots: vec!["http://h.example/".parse().unwrap()],
            credentials: artifactapi_core::port::upstream::Credentials::Anonymous,
            mirrors: Vec::new(),
            allow_networks: Vec::new(),
            egress_proxy: None,
            ca_bundle: None,
        })
    }

    fn identities() -> Identities {
        Identities::new(
            Arc::new(SystemNames),
            Arc::new(Trusted::load().unwrap()),
            Duration::from_secs(1),
        )
    }

    #[test]
    fn a_newer_revision_replaces_and_an_older_one_does_not() {
        let identities = identities();
        let first = identities.of(&origin(1, 1));
        assert!(Arc::ptr_eq(&first, &identities.of(&origin(1, 1))));
        let second = identities.of(&origin(1, 2));
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &identities.of(&origin(1, 1))));
        assert!(Arc::ptr_eq(&second, &identities.of(&origin(1, 2))));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_is_used() {
        let identities = identities();
        let kept = identities.of(&origin(0, 1));
        for repo in 1..2 * MOST as u128 {
            identities.of(&origin(repo, 1));
            identities.of(&origin(0, 1));
        }
        assert_eq!(identities.table.lock().unwrap().rows.len(), MOST);
        assert!(Arc::ptr_eq(&kept, &identities.of(&origin(0, 1))));
    }

    #[test]
    fn a_proxy_that_is_none_is_a_fault() {
        let identities = identities();
        let mut odd = Origin::clone(&origin(1, 1));
        odd.egress_proxy = Some("ftp://proxy.example".parse().unwrap());
        let identity = identities.of(&Arc::new(odd));
        assert!(identities.client(&identity, Trust::Own).is_err());
    }
}
