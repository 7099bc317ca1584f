//! TLS: certificate and key from PEM files, read once at start.

use std::path::Path;

use artifactapi_core::config::Server;
use artifactapi_core::fault::{Fault, Kind};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The configuration, if the settings name certificate and key.
pub(super) fn load(server: &Server) -> Result<Option<ServerConfig>, Fault> {
    let (Some(chain), Some(key)) = (&server.tls_cert, &server.tls_key) else {
        return Ok(None);
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(chain, &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&error))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| unfit(&error))?;
    Ok(Some(config))
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::ours(
        Kind::Internal,
        format!("{} cannot be read as PEM: {error}", file.display()),
        error,
    )
}

fn unfit(error: &dyn std::fmt::Display) -> Fault {
    Fault::ours(
        Kind::Internal,
        format!("certificate and key are of no use: {error}"),
        error,
    )
}
