//! HTTPS and HTTP/2: private authorities, and the ends of streams.
//!
//! The certificates in `fixtures/` are valid for a hundred years and for `h.example` and 127.0.0.1; their authority's key
//! was thrown away.

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Upstream;
use bytes::Bytes;
use h2::Reason;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

const AUTHORITY: &str = include_str!("fixtures/authority.pem");

/// How a stream ends after its first bytes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// With the end-of-stream flag.
    Flag,
    /// With trailers.
    Trailers,
    /// With a reset, once the test says that the bytes before it have arrived.
    Reset(Reason),
}

/// One stream's answer.
struct Served {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
}

/// An HTTP/2 upstream.
struct Secure {
    root: Url,
    /// Lets one stream be reset.
    reset: Arc<Notify>,
    _tasks: JoinSet<()>,
}

/// Answers each request's fields by `script`.
async fn upstream(script: impl Fn(&http::HeaderMap) -> Served + Send + 'static) -> Secure {
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(include_bytes!("fixtures/server.pem")).unwrap()],
            PrivateKeyDer::from_pem_slice(include_bytes!("fixtures/server.key.pem")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("https://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let reset = Arc::new(Notify::new());
    let sign = Arc::clone(&reset);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(secure) = acceptor.accept(socket).await else {
                continue;
            };
            let Ok(mut connection) = h2::server::handshake(secure).await else {
                continue;
            };
            let mut resets = JoinSet::new();
            while let Some(Ok((request, respond))) = connection.accept().await {
                let served = script(request.headers());
                let end = served.end;
                let mut stream = serve(respond, served);
                if let End::Reset(reason) = end {
                    let sign = Arc::clone(&sign);
                    resets.spawn(async move {
                        sign.notified().await;
                        stream.send_reset(reason);
                    });
                }
            }
        }
    });
    Secure {
        root,
        reset,
        _tasks: tasks,
    }
}

fn serve(mut respond: h2::server::SendResponse<Bytes>, served: Served) -> h2::SendStream<Bytes> {
    let mut response = http::Response::builder().status(served.status);
    for (name, value) in &served.fields {
        response = response.header(*name, value);
    }
    let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
    let last = matches!(served.end, End::Flag);
    stream.send_data(served.body.into(), last).unwrap();
    if matches!(served.end, End::Trailers) {
        stream.send_trailers(http::HeaderMap::new()).unwrap();
    }
    stream
}

fn trusting(root: &Url) -> Request {
    let mut origin = origin(root);
    origin.ca_bundle = Some(AUTHORITY.to_owned());
    of(origin, root)
}

fn whole(body: &[u8], end: End) -> Served {
    Served {
        status: 200,
        fields: vec![("etag", "\"a\"".to_owned())],
        body: body.to_vec(),
        end,
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_the_remote_that_names_it_alone() {
    let server = upstream(|_| whole(b"secure", End::Flag)).await;
    let client = client_with(
        Settings {
            retries: 0,
            ..settings()
        },
        &[],
    );
    let fault = refused(&client, get(&server.root)).await;
    assert_eq!(fault.kind, Kind::Unreachable, "{fault:?}");
    assert_eq!(fetched(&client, trusting(&server.root)).await, b"secure");
}

#[tokio::test]
async fn a_stream_that_ends_with_its_flag_is_whole() {
    for end in [End::Flag, End::Trailers] {
        let server = upstream(move |_| whole(b"whole", end)).await;
        let client = client();
        let answer = client.send(trusting(&server.root)).await.unwrap();
        assert_eq!((answer.head.length, answer.head.framed), (None, true));
        let (bytes, fault) = read(answer).await;
        assert!(fault.is_none(), "{end:?} {fault:?}");
        assert_eq!(bytes, b"whole");
        assert_eq!(client.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_reset_is_never_an_end_whatever_its_reason() {
    for reason in [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let server = upstream(move |_| Served {
            fields: Vec::new(),
            ..whole(b"half", End::Reset(reason))
        })
        .await;
        let mut answer = client().send(trusting(&server.root)).await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "half");
        server.reset.notify_one();
        let (bytes, fault) = read(answer).await;
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut), "{reason:?}");
        assert_eq!(bytes, b"");
    }
}

#[tokio::test]
async fn a_stream_short_of_its_length_is_cut() {
    let server = upstream(|_| Served {
        fields: vec![("content-length", "9".to_owned())],
        ..whole(b"half", End::Flag)
    })
    .await;
    let (_, fault) = read(client().send(trusting(&server.root)).await.unwrap()).await;
    assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut));
}

#[tokio::test]
async fn a_reset_stream_goes_on_in_another() {
    let server = upstream(|fields| {
        let body = sample(1000);
        let Some(range) = fields.get("range") else {
            return whole(&body[..100], End::Reset(Reason::NO_ERROR));
        };
        // A reset may overtake the bytes before it, so either may be asked for.
        let from = match range.to_str().unwrap() {
            "bytes=0-" => 0,
            "bytes=100-" => 100,
            other => panic!("{other}"),
        };
        let mut rest = whole(&body[from..], End::Flag);
        rest.status = 206;
        rest.fields
            .push(("content-range", format!("bytes {from}-999/1000")));
        rest
    })
    .await;
    let mut answer = client().send(trusting(&server.root)).await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), sample(100));
    server.reset.notify_one();
    let (bytes, fault) = read(answer).await;
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(bytes, sample(1000)[100..]);
}
