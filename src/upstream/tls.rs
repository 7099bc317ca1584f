//! Trust in certificates: the system's store, read once, and what a remote adds to it.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The system's trust, and the configuration made of it.
pub(crate) struct Trusted {
    system: RootCertStore,
    plain: ClientConfig,
}

impl Trusted {
    /// Reads the system's store. What cannot be read is left out: plain HTTP works without any.
    pub(crate) fn load() -> Result<Self, Fault> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::warn!("part of the system's certificate store cannot be read: {error}");
        }
        let mut system = RootCertStore::empty();
        let (usable, _) = system.add_parsable_certificates(found.certs);
        if usable == 0 {
            log::warn!("the system's certificate store is empty; HTTPS needs a CA bundle per remote");
        }
        let plain = configure(system.clone())?;
        Ok(Self { system, plain })
    }

    /// The TLS configuration of a remote, with its own PEM certificates added.
    pub(crate) fn config(&self, bundle: Option<&str>) -> Result<ClientConfig, Fault> {
        let Some(bundle) = bundle else {
            return Ok(self.plain.clone());
        };
        let mut roots = self.system.clone();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            let certificate = certificate.map_err(unusable)?;
            roots.add(certificate).map_err(unusable)?;
        }
        configure(roots)
    }
}

fn unusable(error: impl std::fmt::Display) -> Fault {
    Fault::ours(Kind::Internal, "the remote's CA bundle cannot be used", error)
}

fn configure(roots: RootCertStore) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::ours(Kind::Internal, "no usable TLS versions", error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_bundle_is_a_fault_and_an_absent_one_is_none() {
        let trusted = Trusted::load().unwrap();
        assert!(trusted.config(None).is_ok());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let fault = trusted.config(Some(broken)).err().unwrap();
        assert_eq!(fault.kind, Kind::Internal);
    }
}
