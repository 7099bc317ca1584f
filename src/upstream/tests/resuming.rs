//! Breaks that are mended, and breaks that must not be.

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Upstream;

use super::server::{Act, Asked, Server, announced, chunk, response, unframed};
use super::*;

const SIZE: usize = 200_000;

/// A response to a range request, as an honest upstream gives it.
fn part(asked: &Asked, etag: &str, object: &[u8]) -> Vec<Act> {
    let from: usize = asked
        .field("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap();
    let range = format!(
        "Content-Range: bytes {from}-{}/{}",
        object.len() - 1,
        object.len()
    );
    vec![Act::Send(response(206, &[etag, &range], &object[from..]))]
}

/// Serves a first answer cut at `cut`, then whatever `rest` says.
async fn broken_at(
    cut: usize,
    fields: &'static [&'static str],
    rest: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
) -> Server {
    let object = sample(SIZE);
    Server::start(move |asked| match asked.number {
        0 => vec![Act::Send(announced(200, fields, SIZE, &object[..cut]))],
        _ => rest(asked),
    })
    .await
}

const TAGGED: &[&str] = &["ETag: \"a\""];

#[tokio::test]
async fn a_cut_body_goes_on_where_it_broke() {
    let object = sample(SIZE);
    let server = broken_at(70_000, TAGGED, move |asked| part(asked, "ETag: \"a\"", &object)).await;
    let client = client();
    let mut request = get(&server.url("/big"));
    request.headers = Headers::from_iter([("accept", "a/b"), ("if-none-match", "\"old\"")]);
    assert!(fetched(&client, request).await == sample(SIZE));
    let asked = server.asked();
    assert_eq!(server.lines(), ["GET /big", "GET /big"]);
    assert_eq!(
        (asked[0].field("range"), asked[0].field("if-none-match")),
        (None, Some("\"old\""))
    );
    assert_eq!(asked[1].field("range"), Some("bytes=70000-"));
    assert_eq!(asked[1].field("if-range"), Some("\"a\""));
    assert_eq!(
        (asked[1].field("if-none-match"), asked[1].field("accept")),
        (None, Some("a/b"))
    );
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_body_that_keeps_breaking_is_resumed_three_times() {
    for (breaks, whole) in [(3, true), (4, false)] {
        let object = sample(SIZE);
        let server = Server::start(move |asked| {
            let from = asked.number * 1000;
            if asked.number >= breaks {
                return part(asked, "ETag: \"a\"", &object);
            }
            let piece = object[from..from + 1000].to_vec();
            let range = format!("Content-Range: bytes {from}-{}/{SIZE}", SIZE - 1);
            let status = if from == 0 { 200 } else { 206 };
            vec![Act::Send(announced(
                status,
                &["ETag: \"a\"", &range],
                SIZE - from,
                &piece,
            ))]
        })
        .await;
        let (bytes, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
        assert_eq!(fault.is_none(), whole, "{fault:?}");
        assert_eq!(bytes.len(), if whole { SIZE } else { 4000 });
        assert!(sample(SIZE).starts_with(&bytes));
        assert_eq!(server.lines().len(), 4);
    }
}

#[tokio::test]
async fn a_chunked_body_goes_on_and_then_has_a_length() {
    for (length, whole) in [(SIZE, true), (SIZE - 1, false)] {
        let object = sample(SIZE);
        let server = Server::start(move |asked| match asked.number {
            0 => {
                let head = unframed(200, &["Transfer-Encoding: chunked", "ETag: \"a\""], b"");
                vec![Act::Send([head, chunk(&object[..5000])].concat())]
            }
            1 => {
                let range = format!("Content-Range: bytes 5000-{}/{SIZE}", SIZE - 1);
                let fields = ["ETag: \"a\"", &range, "Transfer-Encoding: chunked"];
                let rest = chunk(&object[5000..length]);
                vec![Act::Send(
                    [unframed(206, &fields, b""), rest, b"0\r\n\r\n".to_vec()].concat(),
                )]
            }
            _ => vec![Act::Send(unframed(404, &["Content-Length: 0"], b""))],
        })
        .await;
        let (bytes, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
        assert!(bytes == sample(length));
        assert_eq!(fault.map(|fault| fault.kind), (!whole).then_some(Kind::Cut));
    }
}

#[tokio::test]
async fn silence_is_a_break_like_any_other() {
    let object = sample(SIZE);
    let server = Server::start(move |asked| match asked.number {
        0 => vec![
            Act::Send(announced(200, TAGGED, SIZE, &object[..5000])),
            Act::Hang,
        ],
        _ => part(asked, "ETag: \"a\"", &object),
    })
    .await;
    let client = client_with(impatient(), &[]);
    assert!(fetched(&client, get(&server.url("/"))).await == sample(SIZE));
    assert_eq!(server.asked()[1].field("range"), Some("bytes=5000-"));
}

#[tokio::test]
async fn a_reset_is_a_break_like_any_other() {
    let sign = Arc::new(tokio::sync::Notify::new());
    let (object, wait) = (sample(SIZE), Arc::clone(&sign));
    let server = Server::start(move |asked| match asked.number {
        0 => vec![
            Act::Send(announced(200, TAGGED, SIZE, &object[..5000])),
            Act::Await(Arc::clone(&wait)),
            Act::Reset,
        ],
        _ => part(asked, "ETag: \"a\"", &object),
    })
    .await;
    let client = client();
    let mut answer = client.send(get(&server.url("/"))).await.unwrap();
    let mut bytes = Vec::new();
    while bytes.len() < 5000 {
        bytes.extend_from_slice(&answer.body.next().await.unwrap().unwrap());
    }
    sign.notify_one();
    let (rest, fault) = read(answer).await;
    assert!(fault.is_none(), "{fault:?}");
    assert!([bytes, rest].concat() == sample(SIZE));
}

#[tokio::test]
async fn other_bytes_are_never_mixed_in() {
    type Rest = fn(&Asked) -> Vec<Act>;
    let rests: [(&str, Rest); 9] = [
        ("another validator", |asked| {
            part(asked, "ETag: \"b\"", &sample(SIZE))
        }),
        ("a weak validator", |asked| {
            part(asked, "ETag: W/\"a\"", &sample(SIZE))
        }),
        ("no validator", |asked| part(asked, "X: y", &sample(SIZE))),
        ("another size", |asked| {
            part(asked, "ETag: \"a\"", &sample(SIZE + 1))
        }),
        ("the whole", |_| {
            vec![Act::Send(response(200, TAGGED, &sample(SIZE)))]
        }),
        ("another part", |_| {
            vec![Act::Send(response(
                206,
                &["ETag: \"a\"", "Content-Range: bytes 6999-199999/200000"],
                b"x",
            ))]
        }),
        ("a part in the middle", |_| {
            vec![Act::Send(response(
                206,
                &["ETag: \"a\"", "Content-Range: bytes 7000-7999/200000"],
                &[0; 1000],
            ))]
        }),
        ("a part without a range", |_| {
            vec![Act::Send(response(206, TAGGED, &[0; 193_000]))]
        }),
        ("nothing", |_| {
            vec![Act::Send(response(416, &["Content-Range: bytes */200000"], b""))]
        }),
    ];
    for (what, rest) in rests {
        let server = broken_at(7000, TAGGED, rest).await;
        let (bytes, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
        assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut), "{what}");
        assert!(bytes == sample(7000), "{what}");
        assert_eq!(server.lines().len(), 2, "{what}: asked once and no more");
    }
}

#[tokio::test]
async fn a_rest_that_says_less_than_it_has_is_not_whole() {
    let server = broken_at(7000, TAGGED, |asked| match asked.number {
        1 => {
            let fields = ["ETag: \"a\"", "Content-Range: bytes 7000-199999/200000"];
            vec![Act::Send(response(206, &fields, &sample(SIZE)[7000..SIZE - 1]))]
        }
        _ => vec![Act::Send(response(404, &[], b""))],
    })
    .await;
    let (bytes, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
    assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Cut));
    assert!(bytes == sample(SIZE - 1));
}

#[tokio::test]
async fn a_rest_with_more_than_it_says_is_broken() {
    let server = broken_at(7000, TAGGED, |_| {
        let fields = [
            "ETag: \"a\"",
            "Content-Range: bytes 7000-199999/200000",
            "Transfer-Encoding: chunked",
        ];
        let more = [chunk(&sample(SIZE)[7000..]), chunk(b"x"), b"0\r\n\r\n".to_vec()].concat();
        vec![Act::Send(unframed(206, &fields, &more))]
    })
    .await;
    let (_, fault) = read(client().send(get(&server.url("/"))).await.unwrap()).await;
    assert_eq!(fault.map(|fault| fault.kind), Some(Kind::Broken));
}

#[tokio::test]
async fn a_known_digest_stands_in_for_a_validator() {
    let untagged: &[&str] = &["ETag: W/\"a\""];
    for (digest_known, whole) in [(true, true), (false, false)] {
        let object = sample(SIZE);
        let server = broken_at(7000, untagged, move |asked| part(asked, "ETag: W/\"a\"", &object)).await;
        let mut request = get(&server.url("/"));
        request.digest_known = digest_known;
        let (bytes, fault) = read(client().send(request).await.unwrap()).await;
        assert_eq!(fault.is_none(), whole, "{fault:?}");
        assert_eq!(bytes.len(), if whole { SIZE } else { 7000 });
        let asked = server.asked();
        assert_eq!(asked.len(), if whole { 2 } else { 1 });
        assert!(asked.iter().all(|asked| asked.field("if-range").is_none()));
    }
}

#[tokio::test]
async fn trouble_while_resuming_is_waited_out() {
    let object = sample(SIZE);
    let server = broken_at(7000, TAGGED, move |asked| match asked.number {
        1 => vec![Act::Reset],
        2 => vec![Act::Send(response(503, &[], b"later"))],
        _ => part(asked, "ETag: \"a\"", &object),
    })
    .await;
    assert!(fetched(&client(), get(&server.url("/"))).await == sample(SIZE));
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn a_resumption_goes_on_with_the_permit_it_has() {
    let object = sample(SIZE);
    let server = broken_at(7000, TAGGED, move |asked| part(asked, "ETag: \"a\"", &object)).await;
    let narrow = Settings {
        in_all: 1,
        queue: 0,
        ..settings()
    };
    assert!(fetched(&client_with(narrow, &[]), get(&server.url("/"))).await == sample(SIZE));
}

#[tokio::test]
async fn the_rest_of_a_redirected_body_is_asked_for_from_the_start_of_the_way() {
    let object = sample(SIZE);
    let server = Server::start(move |asked| match (asked.line(), asked.field("range")) {
        ("GET /start", None) => vec![Act::Send(response(302, &["Location: /signed?1"], b""))],
        ("GET /start", Some(_)) => vec![Act::Send(response(302, &["Location: /signed?2"], b""))],
        ("GET /signed?1", None) => vec![Act::Send(announced(200, TAGGED, SIZE, &object[..7000]))],
        ("GET /signed?2", Some("bytes=7000-")) => part(asked, "ETag: \"a\"", &object),
        _ => vec![Act::Send(response(403, &[], b""))],
    })
    .await;
    let client = client();
    assert!(fetched(&client, get(&server.url("/start"))).await == sample(SIZE));
    assert_eq!(client.in_flight(), 0);
}
