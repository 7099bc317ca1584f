//! Candidates in order, retries, and admission.

use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::port::upstream::Upstream;

use super::server::{Act, Server, announced, whole};
use super::*;

/// A request for `urls` in order, all of them own origins.
fn any_of(urls: &[Url]) -> Request {
    let mut origin = origin(&urls[0]);
    origin.roots = urls.to_vec();
    let mut request = of(origin, &urls[0]);
    request.urls = urls.to_vec();
    request
}

/// A URL nobody listens at.
async fn dead() -> Url {
    Server::start(|_| Vec::new()).await.url("/dead")
}

#[tokio::test]
async fn the_first_that_can_answer_is_taken() {
    let trouble = Server::start(|_| whole(503, &[], b"later")).await;
    let good = Server::start(|_| whole(200, &[], b"good")).await;
    let spare = Server::start(|_| whole(200, &[], b"spare")).await;
    let client = client();
    let urls = [dead().await, trouble.url("/1"), good.url("/2"), spare.url("/3")];
    let answer = client.send(any_of(&urls)).await.unwrap();
    assert_eq!(answer.head.url, good.url("/2"));
    assert_eq!(read(answer).await.0, b"good");
    assert_eq!((trouble.lines().len(), spare.lines().len()), (1, 0));
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn an_answer_below_500_is_final() {
    let spare = Server::start(|_| whole(200, &[], b"spare")).await;
    for status in [404, 403, 410, 429] {
        let first = Server::start(move |_| whole(status, &[], b"no")).await;
        let answer = client()
            .send(any_of(&[first.url("/"), spare.url("/")]))
            .await
            .unwrap();
        assert_eq!(answer.head.status, status);
    }
    assert!(spare.lines().is_empty());
}

#[tokio::test]
async fn the_last_ones_answer_stands_as_it_is() {
    let first = Server::start(|_| whole(500, &[], b"")).await;
    let last = Server::start(|_| whole(503, &["Retry-After: 7"], b"sorry")).await;
    let answer = client()
        .send(any_of(&[first.url("/"), last.url("/")]))
        .await
        .unwrap();
    assert_eq!(
        (answer.head.status, answer.head.headers.get("retry-after")),
        (503, Some("7"))
    );
    assert_eq!(read(answer).await.0, b"sorry");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let fault = refused(&client(), any_of(&[dead().await, dead().await])).await;
    assert_eq!((fault.kind, fault.retry), (Kind::Unreachable, Retry::Now));
    let unknown = "http://nowhere.example/".parse().unwrap();
    assert_eq!(
        refused(&client(), any_of(&[unknown])).await.kind,
        Kind::Unreachable
    );
}

#[tokio::test]
async fn a_connection_that_dies_before_its_answer_is_tried_three_times() {
    let shaky = Server::start(|asked| match asked.number {
        0 => vec![Act::Reset],
        1 => Vec::new(),
        _ => whole(200, &[], b"at last"),
    })
    .await;
    assert_eq!(fetched(&client(), any_of(&[shaky.url("/")])).await, b"at last");
    let hopeless = Server::start(|_| Vec::new()).await;
    let good = Server::start(|_| whole(200, &[], b"good")).await;
    assert_eq!(
        refused(&client(), any_of(&[hopeless.url("/")])).await.kind,
        Kind::Broken
    );
    assert_eq!(hopeless.lines().len(), 3);
    assert_eq!(
        fetched(&client(), any_of(&[hopeless.url("/"), good.url("/")])).await,
        b"good"
    );
}

#[tokio::test]
async fn what_is_not_http_is_broken() {
    let odd = Server::start(|_| vec![Act::Send(b"SSH-2.0-Odd\r\n\r\n".to_vec())]).await;
    assert_eq!(
        refused(&client(), any_of(&[odd.url("/")])).await.kind,
        Kind::Broken
    );
}

#[tokio::test]
async fn a_slow_one_gives_way_to_the_next() {
    let slow = Server::start(|_| vec![Act::Hang]).await;
    let good = Server::start(|_| whole(200, &[], b"good")).await;
    let client = client_with(impatient(), &[]);
    assert_eq!(
        fetched(&client, any_of(&[slow.url("/"), good.url("/")])).await,
        b"good"
    );
    assert_eq!((slow.lines().len(), client.in_flight()), (1, 0));
}

#[tokio::test]
async fn a_refused_target_ends_the_search() {
    let canary = Server::start(|_| whole(200, &[], b"secret")).await;
    let to = format!("Location: {}", canary.url("/"));
    let first = Server::start(move |_| whole(302, &[&to], b"")).await;
    let good = Server::start(|_| whole(200, &[], b"good")).await;
    let fault = refused(&client(), any_of(&[first.url("/"), good.url("/")])).await;
    assert_eq!(fault.kind, Kind::Egress);
    assert_eq!((canary.connections(), good.lines().len()), (0, 0));
}

#[tokio::test]
async fn a_full_queue_is_overload_and_a_place_in_it_is_served() {
    let server = Server::start(|asked| match asked.number {
        0 => vec![Act::Send(announced(200, &[], 9, b"abc")), Act::Hang],
        _ => whole(200, &[], b"served"),
    })
    .await;
    let narrow = Settings {
        per_host: 1,
        queue: 1,
        ..settings()
    };
    let client = client_with(narrow, &[]);
    let first = client.send(get(&server.url("/1"))).await.unwrap();
    let second = client.send(get(&server.url("/2")));
    let third = async {
        let fault = refused(&client, get(&server.url("/3"))).await;
        drop(first);
        fault
    };
    let (second, fault) = tokio::join!(biased; second, third);
    assert_eq!(fault.kind, Kind::Overloaded);
    assert!(matches!(fault.retry, Retry::After(_)));
    assert_eq!(read(second.unwrap()).await.0, b"served");
    assert_eq!(server.lines(), ["GET /1", "GET /2"]);
}

#[tokio::test]
async fn a_wait_in_the_queue_has_an_end() {
    let server = Server::start(|_| vec![Act::Send(announced(200, &[], 9, b"abc")), Act::Hang]).await;
    let narrow = Settings {
        in_all: 1,
        queue_wait: Duration::from_millis(50),
        ..settings()
    };
    let client = client_with(narrow, &[]);
    let held = client.send(get(&server.url("/1"))).await.unwrap();
    assert_eq!(
        refused(&client, get(&server.url("/2"))).await.kind,
        Kind::Overloaded
    );
    drop(held);
    assert!(client.send(get(&server.url("/3"))).await.is_ok());
}

#[tokio::test]
async fn a_request_without_urls_is_our_defect() {
    let mut request = get(&"http://h.example/".parse().unwrap());
    request.urls.clear();
    assert_eq!(refused(&client(), request).await.kind, Kind::Internal);
}
