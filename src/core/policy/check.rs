//! What a remote's settings must be, beyond their types.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Origin, Url};

use super::Policy;
use crate::fault::FieldError;
use crate::repository::{Mirror, RemoteSettings, Secret};

/// One item of `allow_networks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Addresses: a CIDR, or a single one.
    Addresses(IpNet),
    /// Scheme, host and port.
    Origin(Origin),
}

impl Network {
    /// Reads a CIDR, a single address, or an origin such as `http://mirror.example:8080`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Some(Self::Addresses(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Addresses(IpNet::from(address)));
        }
        let url: Url = text.parse().ok()?;
        let bare = url.path() == "/" && place_error(&url, &["http", "https"]).is_none();
        bare.then(|| Self::Origin(url.origin()))
    }
}

/// Everything that is wrong with a remote's settings, each with the name of its field; patterns included.
pub fn validate(settings: &RemoteSettings) -> Vec<FieldError> {
    let mut errors = Policy::compile(settings).err().unwrap_or_default();
    let mut complain = |field: &str, problem: Option<&str>| {
        errors.extend(problem.map(|reason| FieldError::new(field, reason)));
    };
    complain("base_url", place_error(&settings.base_url, &["http", "https"]));
    if let Some(url) = &settings.index_url {
        complain("index_url", place_error(url, &["http", "https"]));
    }
    if let Some(url) = &settings.egress_proxy {
        complain(
            "egress_proxy",
            place_error(url, &["http", "https", "socks5", "socks5h"]),
        );
    }
    if let Some(pem) = &settings.ca_bundle {
        let missing = !pem.contains("-----BEGIN CERTIFICATE-----");
        complain("ca_bundle", missing.then_some("holds no PEM certificate"));
    }
    for (index, network) in settings.allow_networks.iter().enumerate() {
        let bad = Network::parse(network).is_none();
        let reason = "is neither a CIDR nor an origin such as https://host:port";
        complain(&format!("allow_networks.{index}"), bad.then_some(reason));
    }
    errors.extend(credentials(settings));
    for (index, mirror) in settings.mirrors.iter().enumerate() {
        errors.extend(mirror_errors(mirror, &format!("mirrors.{index}")));
    }
    errors
}

fn credentials(settings: &RemoteSettings) -> Vec<FieldError> {
    let username = settings.username.as_deref();
    let mut errors = basic(username, settings.password.as_ref(), "");
    if let Some(token) = &settings.token {
        if username.is_some() || settings.password.is_some() {
            errors.push(FieldError::new("token", "excludes `username` and `password`"));
        }
        if token.0.is_empty() || !token.0.bytes().all(|b| b.is_ascii_graphic()) {
            errors.push(FieldError::new("token", "must be printable ASCII without spaces"));
        }
        errors.extend(sealed(Some(token)).map(|reason| FieldError::new("token", reason)));
    }
    errors
}

fn mirror_errors(mirror: &Mirror, at: &str) -> Vec<FieldError> {
    let mut errors = basic(
        mirror.username.as_deref(),
        mirror.password.as_ref(),
        &format!("{at}."),
    );
    if let Some(reason) = place_error(&mirror.url, &["http", "https"]) {
        errors.push(FieldError::new(format!("{at}.url"), reason));
    }
    errors
}

/// User name and password go together and fit into a header field (RFC 7617 §2).
fn basic(username: Option<&str>, password: Option<&Secret>, prefix: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut complain = |field, problem: Option<&str>| {
        errors.extend(problem.map(|reason| FieldError::new(format!("{prefix}{field}"), reason)));
    };
    let unsafe_text = |text: Option<&str>| text.is_some_and(|text| text.chars().any(char::is_control));
    if unsafe_text(username) || username.is_some_and(|name| name.contains(':')) {
        complain("username", Some("must have no colon and no control character"));
    }
    if unsafe_text(password.map(|secret| secret.0.as_str())) {
        complain("password", Some("must have no control character"));
    }
    complain("password", sealed(password));
    match (username, password) {
        (None, Some(_)) => complain("password", Some("needs a `username`")),
        (Some(_), None) => complain("username", Some("needs a `password`")),
        _ => {}
    }
    errors
}

/// What keeps a secret from being used: the catalog keeps it sealed, with a key that this process does not have.
fn sealed(secret: Option<&Secret>) -> Option<&'static str> {
    let reason =
        "cannot be opened with the keys of this server (and none may begin with `sealed:1:`): give it anew";
    secret.is_some_and(Secret::is_sealed).then_some(reason)
}

/// What keeps a URL from being a place to ask: settings are shown, so no secret may hide in one.
fn place_error(url: &Url, schemes: &[&str]) -> Option<&'static str> {
    if !schemes.contains(&url.scheme()) {
        return Some(if schemes.len() > 2 {
            "must begin with http://, https:// or socks5://"
        } else {
            "must begin with http:// or https://"
        });
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Some("names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must hold no user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("must have no query and no fragment");
    }
    None
}
