//! The egress guard: where the requests of one remote may go.
//!
//! A remote's own origins are allowed whatever they resolve to, since an administrator typed them. Everything that an
//! upstream says (redirects, URLs in indexes) must be public, or lie in a network or origin that the remote lists.
//! Literal addresses are judged here, names when they are resolved ([`crate::resolver`]), both on every hop.

use std::fmt;
use std::net::IpAddr;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Origin;
use ipnet::IpNet;
use url::{Host, Url};

use crate::address;

/// How far a target is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The remote's own: its address is not looked at.
    Own,
    /// Anybody's: every address it resolves to must be public or listed.
    Stranger,
}

/// The rules of one remote.
#[derive(Debug)]
pub(crate) struct Guard {
    own: Vec<url::Origin>,
    networks: Vec<IpNet>,
    proxy_host: Option<String>,
}

impl Guard {
    /// Reads the rules from the remote's settings. Entries that cannot be read allow nothing.
    pub(crate) fn of(origin: &Origin) -> Self {
        let listed = origin.allow_networks.iter().filter_map(|entry| origin_of(entry));
        let mirrors = origin.mirrors.iter().map(|mirror| mirror.url.origin());
        Self {
            own: origin
                .roots
                .iter()
                .chain(&origin.egress_proxy)
                .map(Url::origin)
                .chain(mirrors)
                .chain(listed)
                .filter(url::Origin::is_tuple)
                .collect(),
            networks: origin
                .allow_networks
                .iter()
                .filter_map(|entry| network(entry))
                .collect(),
            proxy_host: origin
                .egress_proxy
                .as_ref()
                .and_then(Url::host_str)
                .map(str::to_owned),
        }
    }

    /// Decides whether a request may go to `target`, as far as the URL itself tells.
    pub(crate) fn judge(&self, target: &Url) -> Result<Trust, Fault> {
        let host = target.host_str().unwrap_or_default();
        if !matches!(target.scheme(), "http" | "https") {
            return Err(Refused("not HTTP").fault(target.scheme()));
        }
        if !target.username().is_empty() || target.password().is_some() {
            return Err(Refused("a URL with credentials").fault(host));
        }
        if self.own.contains(&target.origin()) {
            return Ok(Trust::Own);
        }
        let verdict = match target.host() {
            Some(Host::Ipv4(address)) => self.admit(address.into()),
            Some(Host::Ipv6(address)) => self.admit(address.into()),
            Some(Host::Domain(name)) => self.admit_name(name),
            None => Err(Refused("no host")),
        };
        verdict
            .map(|()| Trust::Stranger)
            .map_err(|refused| refused.fault(host))
    }

    /// Decides about a redirect: as [`Guard::judge`], and never from `https` to `http`.
    pub(crate) fn judge_hop(&self, from: &Url, target: &Url) -> Result<Trust, Fault> {
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err(Refused("a redirect from https to http").fault(target.host_str().unwrap_or_default()));
        }
        self.judge(target)
    }

    /// Decides about one resolved or literal address.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), Refused> {
        let listed =
            || address::forms(address).any(|form| self.networks.iter().any(|net| net.contains(&form)));
        match address::forbidden(address) {
            Some(why) if !listed() => Err(Refused(why)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether resolving `name` means reaching the egress proxy itself.
    pub(crate) fn is_proxy(&self, name: &str) -> bool {
        self.proxy_host.as_deref() == Some(name)
    }

    /// Behind a proxy nobody here resolves names, so those that mean the proxy's own machine are refused as names.
    fn admit_name(&self, name: &str) -> Result<(), Refused> {
        let Some(proxy) = &self.proxy_host else {
            return Ok(());
        };
        let bare = name.trim_end_matches('.');
        if bare == "localhost" || bare.ends_with(".localhost") || bare == proxy.trim_end_matches('.') {
            return Err(Refused("a name of the proxy itself"));
        }
        Ok(())
    }
}

/// A target that must not be reached, with the word for it; never the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

impl Refused {
    /// The refusal as a fault; the target's name is for the log alone.
    pub(crate) fn fault(self, target: &str) -> Fault {
        Fault::new(
            Kind::Egress,
            format!("upstream leads to where we must not go: {self}"),
        )
        .because(target)
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn origin_of(entry: &str) -> Option<url::Origin> {
    entry
        .contains("://")
        .then(|| Url::parse(entry).ok())?
        .map(|url| url.origin())
}

fn network(entry: &str) -> Option<IpNet> {
    let entry = entry.trim();
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
#[path = "tests/egress.rs"]
mod tests;
