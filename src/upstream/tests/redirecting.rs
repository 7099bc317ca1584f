//! Redirects, hop by hop.

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Method, Upstream};

use super::server::{Act, Server, unframed, whole};
use super::*;

fn moved(status: u16, to: &str) -> Vec<Act> {
    whole(status, &[&format!("Location: {to}")], b"moved")
}

#[tokio::test]
async fn every_kind_of_redirect_is_followed_and_the_last_url_is_told() {
    let server = Server::start(|asked| match asked.line() {
        "GET /a/1" => moved(301, "2"),
        "GET /a/2" => moved(302, "/b/3?q=%2F"),
        "GET /b/3?q=%2F" => moved(303, "../4#fragment"),
        "GET /4" => moved(307, "/5"),
        "GET /5" => moved(308, "?six"),
        "GET /5?six" => whole(200, &[], b"here"),
        other => panic!("{other}"),
    })
    .await;
    let client = client();
    let answer = client.send(get(&server.url("/a/1#x"))).await.unwrap();
    assert_eq!(answer.head.url, server.url("/5?six"));
    assert_eq!(read(answer).await.0, b"here");
    assert_eq!((server.lines().len(), client.in_flight()), (6, 0));
    assert!(server.connections() < 6, "what is read to its end is used again");
}

#[tokio::test]
async fn a_head_stays_a_head() {
    let server = Server::start(|asked| match asked.line() {
        "HEAD /1" => vec![
            Act::Send(unframed(302, &["Location: /2", "Content-Length: 5"], b"")),
            Act::Keep,
        ],
        "HEAD /2" => vec![Act::Send(unframed(200, &["Content-Length: 9"], b"")), Act::Keep],
        other => panic!("{other}"),
    })
    .await;
    let mut request = get(&server.url("/1"));
    request.method = Method::Head;
    assert_eq!(client().send(request).await.unwrap().head.length, Some(9));
}

#[tokio::test]
async fn six_redirects_are_too_many_and_so_is_a_circle() {
    let server = Server::start(|asked| match asked.line() {
        "GET /circle" => moved(302, "/circle"),
        line => {
            let number: u32 = line.rsplit('/').next().unwrap().parse().unwrap();
            moved(302, &format!("/{}", number + 1))
        }
    })
    .await;
    for path in ["/1", "/circle"] {
        let before = server.lines().len();
        let fault = refused(&client(), get(&server.url(path))).await;
        assert_eq!(fault.kind, Kind::Broken);
        assert_eq!(server.lines().len() - before, 6, "{path}");
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_broken() {
    let server = Server::start(|asked| match asked.line() {
        "GET /none" => whole(302, &[], b""),
        "GET /odd" => moved(302, "http://[::1"),
        _ => whole(300, &["Location: /2"], b"choose"),
    })
    .await;
    for path in ["/none", "/odd"] {
        assert_eq!(
            refused(&client(), get(&server.url(path))).await.kind,
            Kind::Broken
        );
    }
    assert_eq!(
        client()
            .send(get(&server.url("/choices")))
            .await
            .unwrap()
            .head
            .status,
        300
    );
}

#[tokio::test]
async fn fields_of_the_request_go_along_every_hop() {
    let server = Server::start(|asked| match asked.line() {
        "GET /1" => moved(307, "/2"),
        _ => whole(200, &[], b"x"),
    })
    .await;
    let mut request = get(&server.url("/1"));
    request.headers = Headers::from_iter([("accept", "a/b"), ("range", "bytes=0-")]);
    fetched(&client(), request).await;
    for asked in server.asked() {
        assert_eq!(
            (asked.field("accept"), asked.field("range")),
            (Some("a/b"), Some("bytes=0-"))
        );
        assert_eq!(asked.field("referer"), None);
    }
}

#[tokio::test]
async fn the_time_for_heads_is_that_of_the_whole_way() {
    let server = Server::start(|asked| match asked.line() {
        "GET /1" => [vec![Act::Pause(Duration::from_millis(700))], moved(302, "/2")].concat(),
        _ => [
            vec![Act::Pause(Duration::from_millis(700))],
            whole(200, &[], b"late"),
        ]
        .concat(),
    })
    .await;
    let fault = refused(&client_with(impatient(), &[]), get(&server.url("/1"))).await;
    assert_eq!(fault.kind, Kind::Timeout);
}
