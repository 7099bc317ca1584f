//! Ends of bodies: which are ends, and which are cuts.

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::{Method, Upstream};

use super::server::{Act, Server, announced, chunk, response, unframed, whole};
use super::*;

#[tokio::test]
async fn a_whole_body_ends_and_its_permit_returns() {
    let body = sample(300_000);
    let copy = body.clone();
    let server = Server::start(move |_| whole(200, &["ETag: \"a\"", "X-A: b"], &copy)).await;
    let client = client();
    let answer = client.send(get(&server.url("/x?q=1"))).await.unwrap();
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.length, Some(300_000));
    assert!(answer.head.framed);
    assert_eq!(answer.head.url, server.url("/x?q=1"));
    assert_eq!(answer.head.headers.get("x-a"), Some("b"));
    assert_eq!(client.in_flight(), 1);
    let (bytes, fault) = read(answer).await;
    assert!(fault.is_none() && bytes == body);
    assert_eq!(client.in_flight(), 0);
    assert_eq!(server.lines(), ["GET /x?q=1"]);
}

#[tokio::test]
async fn what_is_sent_says_who_we_are_and_what_is_wanted_and_no_more() {
    let server = Server::start(|_| whole(200, &[], b"x")).await;
    let mut request = get(&server.url("/"));
    request.headers =
        Headers::from_iter([("Accept", "a/b"), ("Cookie", "a=b"), ("Authorization", "Basic x")]);
    fetched(&client(), request).await;
    let asked = server.asked();
    let mut lines: Vec<_> = asked[0]
        .head
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort_unstable();
    let agent = format!("user-agent: artifactapi/{}", env!("CARGO_PKG_VERSION"));
    let host = format!("host: {}", server.address);
    assert_eq!(lines, ["accept-encoding: identity", "accept: a/b", &host, &agent]);
}

#[tokio::test]
async fn a_path_is_asked_for_as_it_is_spelled() {
    let server = Server::start(|_| whole(200, &[], b"x")).await;
    let path = "/@scope%2fname/-/a+b~c^d!E%21=,;:'()*|.tgz?x=%2F&y=a+b";
    fetched(&client(), get(&server.url(path))).await;
    assert_eq!(server.lines(), [format!("GET {path}")]);
}

#[tokio::test]
async fn a_body_short_of_its_length_is_cut() {
    for cut in [0, 1, 4999] {
        let server = Server::start(move |_| vec![Act::Send(announced(200, &[], 5000, &sample(cut)))]).await;
        let (bytes, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut), "{cut}");
        assert_eq!(bytes, sample(cut));
        assert_eq!(server.lines().len(), 1, "nothing to resume by");
    }
}

#[tokio::test]
async fn a_chunked_body_without_its_last_chunk_is_cut() {
    let head = unframed(200, &["Transfer-Encoding: chunked"], b"");
    let tails: [&[u8]; 4] = [b"", b"5\r\nab", b"5\r\nabcde", b"0\r\n"];
    for tail in tails {
        let bytes = [head.clone(), chunk(&sample(1000)), tail.to_vec()].concat();
        let server = Server::start(move |_| vec![Act::Send(bytes.clone())]).await;
        let answer = client().send(get(&server.url("/"))).await.unwrap();
        assert_eq!((answer.head.length, answer.head.framed), (None, true));
        let (bytes, fault) = read(answer).await;
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut), "{tail:?}");
        assert!(bytes.starts_with(&sample(1000)));
    }
}

#[tokio::test]
async fn a_chunked_body_with_its_last_chunk_is_whole() {
    let bytes = [
        unframed(200, &["Transfer-Encoding: chunked"], b""),
        chunk(&sample(1000)),
        chunk(b"tail"),
        b"0\r\nX-Trailer: 1\r\n\r\n".to_vec(),
    ]
    .concat();
    let server = Server::start(move |_| vec![Act::Send(bytes.clone()), Act::Keep]).await;
    let body = fetched(&client(), get(&server.url("/"))).await;
    assert_eq!(body, [sample(1000), b"tail".to_vec()].concat());
}

#[tokio::test]
async fn an_unframed_body_ends_with_its_connection_and_proves_nothing() {
    let server = Server::start(|_| vec![Act::Send(unframed(200, &["ETag: \"a\""], &sample(777)))]).await;
    let answer = client().send(get(&server.url("/"))).await.unwrap();
    assert_eq!((answer.head.length, answer.head.framed), (None, false));
    let (bytes, fault) = read(answer).await;
    assert!(fault.is_none());
    assert_eq!(bytes, sample(777));
}

#[tokio::test]
async fn a_reset_is_a_cut_whatever_the_framing() {
    let heads = [
        unframed(200, &[], b"abc"),
        announced(200, &[], 9, b"abc"),
        [unframed(200, &["Transfer-Encoding: chunked"], b""), chunk(b"abc")].concat(),
    ];
    for head in heads {
        let sign = Arc::new(tokio::sync::Notify::new());
        let acts = vec![Act::Send(head), Act::Await(Arc::clone(&sign)), Act::Reset];
        let server = Server::start(move |_| acts.clone()).await;
        let mut answer = client().send(get(&server.url("/"))).await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "abc");
        sign.notify_one();
        let (bytes, fault) = read(answer).await;
        assert!(bytes.is_empty());
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut));
    }
}

#[tokio::test]
async fn contradictory_lengths_are_no_answer() {
    let server = Server::start(|_| {
        vec![Act::Send(unframed(
            200,
            &["Content-Length: 3", "Content-Length: 4"],
            b"abcd",
        ))]
    })
    .await;
    assert_eq!(refused(&client(), get(&server.url("/"))).await.kind, Kind::Broken);
}

#[tokio::test]
async fn bytes_beyond_the_length_are_not_taken() {
    let server = Server::start(|_| vec![Act::Send(announced(200, &[], 3, b"abcdef"))]).await;
    assert_eq!(fetched(&client(), get(&server.url("/"))).await, b"abc");
}

#[tokio::test]
async fn silence_in_a_body_times_out() {
    let server = Server::start(|_| vec![Act::Send(announced(200, &[], 9, b"abc")), Act::Hang]).await;
    let client = client_with(impatient(), &[]);
    let (bytes, fault) = read(client.send(get(&server.url("/"))).await.unwrap()).await;
    assert_eq!(bytes, b"abc");
    assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Timeout));
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn silence_before_the_head_times_out() {
    let server = Server::start(|_| vec![Act::Hang]).await;
    let fault = refused(&client_with(impatient(), &[]), get(&server.url("/"))).await;
    assert_eq!(fault.kind, Kind::Timeout);
    assert_eq!(server.lines().len(), 1, "a slow upstream is not asked twice");
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let server = Server::start(|asked| match asked.line() {
        "HEAD /x" => vec![
            Act::Send(unframed(200, &["Content-Length: 5000", "Content-Type: a/b"], b"")),
            Act::Keep,
        ],
        _ => vec![Act::Send(unframed(304, &["ETag: \"a\""], b"")), Act::Keep],
    })
    .await;
    let client = client();
    let mut request = get(&server.url("/x"));
    request.method = Method::Head;
    request.limit = 10;
    let answer = client.send(request).await.unwrap();
    assert_eq!(
        (answer.head.status, answer.head.length, answer.head.framed),
        (200, Some(5000), true)
    );
    assert_eq!(read(answer).await.0, b"");
    let mut request = get(&server.url("/y"));
    request.headers.set("if-none-match", "\"a\"");
    let answer = client.send(request).await.unwrap();
    assert_eq!(
        (answer.head.status, answer.head.length, answer.head.framed),
        (304, None, true)
    );
    assert_eq!(read(answer).await.0, b"");
    assert_eq!(client.in_flight(), 0);
    assert_eq!(server.asked()[1].field("if-none-match"), Some("\"a\""));
}

#[tokio::test]
async fn a_limit_holds_for_announced_and_for_streamed_bytes() {
    let server = Server::start(|asked| match asked.line() {
        "GET /announced" => whole(200, &[], &sample(2000)),
        "GET /missing" => whole(404, &[], &sample(2000)),
        _ => vec![Act::Send(
            [
                unframed(200, &["Transfer-Encoding: chunked"], b""),
                chunk(&sample(2000)),
            ]
            .concat(),
        )],
    })
    .await;
    let limited = |path: &str| {
        let mut request = get(&server.url(path));
        request.limit = 1000;
        request
    };
    let client = client();
    let fault = refused(&client, limited("/announced")).await;
    assert!(
        fault.kind == Kind::UpstreamTooLarge && fault.what.contains("1000 bytes"),
        "{fault:?}"
    );
    let (_, fault) = read(client.send(limited("/streamed")).await.unwrap()).await;
    assert!(fault.unwrap().what.contains("1000 bytes"));
    assert_eq!(client.send(limited("/missing")).await.unwrap().head.status, 404);
    let mut exact = get(&server.url("/announced"));
    exact.limit = 2000;
    assert_eq!(fetched(&client, exact).await.len(), 2000);
}

#[tokio::test]
async fn fields_of_the_connection_and_cookies_stay_behind() {
    let fields = [
        "Connection: close, X-Hop",
        "X-Hop: 1",
        "Set-Cookie: a=b",
        "Keep-Alive: 5",
        "X-Kept: 1",
    ];
    let server = Server::start(move |_| vec![Act::Send(response(200, &fields, b"x"))]).await;
    let answer = client().send(get(&server.url("/"))).await.unwrap();
    let names: Vec<_> = answer.head.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-kept", "content-length"]);
}

#[tokio::test]
async fn leaving_in_the_middle_gives_the_permit_back() {
    let server = Server::start(|_| vec![Act::Send(announced(200, &[], 9, b"abc")), Act::Hang]).await;
    let client = client();
    let mut answer = client.send(get(&server.url("/"))).await.unwrap();
    assert!(answer.body.next().await.is_some());
    assert_eq!(client.in_flight(), 1);
    drop(answer);
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_stream_that_has_ended_stays_ended() {
    let server = Server::start(|asked| match asked.line() {
        "GET /whole" => whole(200, &[], b"x"),
        _ => vec![Act::Send(announced(200, &[], 9, b""))],
    })
    .await;
    for (path, items) in [("/whole", 1), ("/cut", 1)] {
        let mut answer = client().send(get(&server.url(path))).await.unwrap();
        for _ in 0..items {
            assert!(answer.body.next().await.is_some());
        }
        for _ in 0..3 {
            assert!(answer.body.next().await.is_none());
        }
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(|asked| {
        let body = asked.number.to_string();
        whole(200, &[], body.as_bytes())
    })
    .await;
    let client = client();
    let origin = Arc::new(origin(&server.url("/")));
    for number in 0..50 {
        let mut request = get(&server.url("/"));
        request.origin = Arc::clone(&origin);
        assert_eq!(fetched(&client, request).await, number.to_string().as_bytes());
    }
    assert!(server.connections() < 50, "{}", server.connections());
}
