//! Content codings, from the wire to whoever asked.

use std::io::Write;

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Upstream;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::server::{Act, Server, announced, response, unframed, whole};
use super::*;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn coded(url: &Url, coding: Coding) -> Request {
    let mut request = get(url);
    request.coding = coding;
    request
}

#[tokio::test]
async fn a_coded_body_is_decoded_unless_raw_bytes_are_wanted() {
    let plain = sample(100_000);
    let packed = gzip(&plain);
    let copy = packed.clone();
    let fields = [
        "Content-Encoding: gzip",
        "ETag: \"a\"",
        "Content-MD5: AAAA",
        "Accept-Ranges: bytes",
    ];
    let server = Server::start(move |_| whole(200, &fields, &copy)).await;
    for (coding, asked) in [(Coding::Decode, "gzip"), (Coding::Identity, "identity")] {
        let answer = client().send(coded(&server.url("/"), coding)).await.unwrap();
        let names: Vec<_> = answer.head.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["etag"]);
        assert_eq!((answer.head.length, answer.head.framed), (None, true));
        assert!(read(answer).await.0 == plain);
        assert_eq!(
            server.asked().last().unwrap().field("accept-encoding"),
            Some(asked)
        );
    }
    let answer = client().send(coded(&server.url("/"), Coding::Raw)).await.unwrap();
    assert_eq!(answer.head.length, Some(packed.len() as u64));
    assert_eq!(answer.head.headers.get("content-encoding"), None);
    assert_eq!(read(answer).await.0, packed);
}

#[tokio::test]
async fn deflate_is_decoded_and_an_unknown_coding_is_broken() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"plain").unwrap();
    let packed = encoder.finish().unwrap();
    let server = Server::start(move |asked| match asked.line() {
        "GET /deflate" => whole(200, &["Content-Encoding: deflate"], &packed),
        _ => whole(200, &["Content-Encoding: br"], b"odd"),
    })
    .await;
    let client = client();
    assert_eq!(
        fetched(&client, coded(&server.url("/deflate"), Coding::Decode)).await,
        b"plain"
    );
    assert_eq!(
        refused(&client, coded(&server.url("/br"), Coding::Decode))
            .await
            .kind,
        Kind::Broken
    );
    assert_eq!(
        fetched(&client, coded(&server.url("/br"), Coding::Raw)).await,
        b"odd"
    );
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let bomb = gzip(&vec![0; 32 << 20]);
    let server = Server::start(move |_| whole(200, &["Content-Encoding: gzip"], &bomb)).await;
    let mut request = coded(&server.url("/"), Coding::Decode);
    request.limit = 1 << 20;
    let client = client();
    let (bytes, fault) = read(client.send(request).await.unwrap()).await;
    assert!(bytes.len() <= 1 << 20);
    assert!(fault.unwrap().what.contains("1048576 bytes"));
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_coded_body_that_ends_in_good_order_but_early_is_broken() {
    let packed = gzip(&sample(100_000));
    let half = packed[..packed.len() / 2].to_vec();
    let server = Server::start(move |asked| match asked.line() {
        "GET /length" => vec![Act::Send(response(200, &["Content-Encoding: gzip"], &half))],
        _ => vec![Act::Send(unframed(200, &["Content-Encoding: gzip"], &half))],
    })
    .await;
    for path in ["/length", "/close"] {
        let (_, fault) = read(
            client()
                .send(coded(&server.url(path), Coding::Decode))
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Broken), "{path}");
    }
}

#[tokio::test]
async fn a_coded_body_is_resumed_in_coded_bytes() {
    let plain = sample(100_000);
    let packed = gzip(&plain);
    let cut = packed.len() / 2;
    for (coding, same) in [("Content-Encoding: gzip", true), ("Content-Encoding: br", false)] {
        let packed = packed.clone();
        let server = Server::start(move |asked| {
            let range = format!("Content-Range: bytes {cut}-{}/{}", packed.len() - 1, packed.len());
            let fields = ["Content-Encoding: gzip", "ETag: \"a\""];
            match asked.number {
                0 => vec![Act::Send(announced(200, &fields, packed.len(), &packed[..cut]))],
                _ => vec![Act::Send(response(
                    206,
                    &[coding, "ETag: \"a\"", &range],
                    &packed[cut..],
                ))],
            }
        })
        .await;
        let (bytes, fault) = read(
            client()
                .send(coded(&server.url("/"), Coding::Decode))
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(fault.map(|fault| fault.kind), (!same).then_some(Kind::Cut));
        assert_eq!(bytes == plain, same);
        let asked = server.asked();
        assert_eq!(asked[1].field("range"), Some(format!("bytes={cut}-").as_str()));
        assert_eq!(asked[1].field("accept-encoding"), Some("gzip"));
    }
}
