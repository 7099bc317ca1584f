//! HTTPS, with a certificate made for the test.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rcgen::{Certificate, CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::config;
use crate::Running;
use crate::admin::harness::Bench;

/// Asks over TLS, trusting this certificate alone.
fn ask(address: std::net::SocketAddr, certificate: CertificateDer<'static>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    stream
        .write_all(b"GET /api/v2/health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A server with a certificate made for it.
async fn secured(bench: &Bench) -> (Running, Certificate) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    (config.server.tls_cert, config.server.tls_key) = (Some(chain), Some(key));
    (crate::serve(bench.parts(), &config).await.unwrap(), cert)
}

#[actix_web::test]
#[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
async fn large_files_come_whole_over_tls_and_over_http_2() {
    let bench = Bench::start().await;
    let local = serde_json::json!({"name": "l", "package_type": "generic"});
    assert_eq!(bench.call("POST", "/api/v2/locals", local).await.status, 201);
    let body = "0123456789abcde\n".repeat(200_000);
    let put = bench.call_text("PUT", "/api/v1/remote/l/f", &body).await;
    assert_eq!(put.status, 201);
    let (server, cert) = secured(&bench).await;
    let url = format!(
        "https://localhost:{}/api/v1/remote/l/f",
        server.addresses()[0].port()
    );
    for version in [reqwest::Version::HTTP_11, reqwest::Version::HTTP_2] {
        let client = reqwest::Client::builder()
            .no_proxy()
            .resolve("localhost", server.addresses()[0])
            .add_root_certificate(reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap());
        let client = match version {
            reqwest::Version::HTTP_2 => client,
            _ => client.http1_only(),
        };
        let answer = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert!(answer.text().await.unwrap() == body, "{version:?}");
    }
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn with_certificate_and_key_it_speaks_https() {
    let bench = Bench::start().await;
    let (server, cert) = secured(&bench).await;
    assert!(server.is_secure());
    let (address, certificate) = (server.addresses()[0], cert.der().clone());
    let answer = actix_web::rt::task::spawn_blocking(move || ask(address, certificate))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn files_that_are_no_certificate_are_named() {
    let bench = Bench::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not.pem");
    std::fs::write(&file, "nothing").unwrap();
    let mut config = config();
    (config.server.tls_cert, config.server.tls_key) = (Some(file.clone()), Some(file));
    let refused = crate::serve(bench.parts(), &config).await.err().unwrap();
    assert!(
        refused.what.contains("not.pem") || refused.what.contains("no use"),
        "{refused}"
    );
    bench.stop().await;
}
