//! `[server]`: where clients reach the program.

use std::path::PathBuf;

use url::Url;

use super::section::section;
use crate::fault::FieldError;

section! {
    /// Where clients reach the program.
    Server = "server" {
        /// Address and port; without an address (`:8000`) on all interfaces. Port 0 takes a free one.
        listen: String = ":8000".to_owned();
        /// What clients call it, where documents need an absolute URL; else what each request calls it.
        public_url: Option<Url> = None;
        /// PEM file with the certificate chain; with `tls_key` the program speaks HTTPS.
        tls_cert: Option<PathBuf> = None;
        /// PEM file with the certificate's private key.
        tls_key: Option<PathBuf> = None;
        /// HTTP worker threads; 0 is one per core.
        workers: usize = 0;
        /// Whether stored files go from the disk's cache to the socket without a copy, where there is no TLS.
        sendfile: bool = true;
        /// Seconds a stopping server still accepts requests while it already says that it is not ready.
        drain_seconds: u64 = 5;
        /// Seconds running requests get to end afterwards.
        stop_seconds: u64 = 30;
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The address or name; `None` is all interfaces.
    pub host: Option<String>,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Server {
    /// `listen` taken apart; `None` if it is malformed, which [`Server::validate`] reports.
    pub fn bind(&self) -> Option<Bind> {
        let (host, port) = self.listen.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().ok().map(|_| address)?,
            None if host.contains([':', '[', ']', '/', ' ']) => return None,
            None => host,
        };
        Some(Bind {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port: port.parse().ok()?,
        })
    }

    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.bind().is_none() {
            errors.push(FieldError::new(
                "listen",
                "must be `address:port` or `:port`; IPv6 in brackets",
            ));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let missing = if self.tls_cert.is_none() {
                "tls_cert"
            } else {
                "tls_key"
            };
            errors.push(FieldError::new(
                missing,
                "is missing: `tls_cert` and `tls_key` go together",
            ));
        }
        let place = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        if self.public_url.as_ref().is_some_and(|url| !place(url)) {
            errors.push(FieldError::new(
                "public_url",
                "must be an http or https URL without user, query and fragment",
            ));
        }
        errors
    }
}
