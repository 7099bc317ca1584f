//! Credentials reach their origin and nobody else, over every kind of hop.

use artifactapi_core::repository::{Mirror, Secret};

use super::server::{Act, Asked, Server, response, whole};
use super::*;

const ANNA: &str = "Basic YW5uYTp3b3Jk";
const MIKE: &str = "Basic bWlrZTp3b3Jk";

fn anna() -> Credentials {
    Credentials::Basic {
        username: "anna".into(),
        password: Secret("word".into()),
    }
}

fn seen(asked: &[Asked]) -> Vec<(String, Option<String>)> {
    asked
        .iter()
        .map(|asked| {
            (
                asked.line().to_owned(),
                asked.field("authorization").map(str::to_owned),
            )
        })
        .collect()
}

#[tokio::test]
async fn another_port_of_the_same_host_sees_no_credentials() {
    let other = Server::start(|_| whole(200, &[], b"x")).await;
    let to = format!("Location: {}", other.url("/file"));
    let home = Server::start(move |asked| match asked.line() {
        "GET /1" => whole(302, &["Location: /2"], b""),
        _ => whole(302, &[&to], b""),
    })
    .await;
    let mut origin = origin(&home.url("/"));
    origin.credentials = anna();
    origin.allow_networks = vec![other.url("/").to_string()];
    fetched(&client(), of(origin, &home.url("/1"))).await;
    assert_eq!(
        seen(&home.asked()),
        [
            ("GET /1".into(), Some(ANNA.into())),
            ("GET /2".into(), Some(ANNA.into()))
        ]
    );
    assert_eq!(seen(&other.asked()), [("GET /file".into(), None)]);
    assert_eq!(other.asked()[0].field("cookie"), None);
}

#[tokio::test]
async fn another_name_of_the_same_host_sees_no_credentials_and_home_does_again() {
    let server = Server::start(|asked| {
        let port = asked
            .field("host")
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        match asked.line() {
            "GET /1" => whole(302, &[&format!("Location: http://cdn.example:{port}/2")], b""),
            "GET /2" => whole(302, &[&format!("Location: http://home.example:{port}/3")], b""),
            _ => whole(200, &["Set-Cookie: a=b"], b"x"),
        }
    })
    .await;
    let port = server.address.port();
    let home: Url = format!("http://home.example:{port}/").parse().unwrap();
    let names: &[(&'static str, &[&str])] =
        &[("home.example", &["127.0.0.1"]), ("cdn.example", &["127.0.0.1"])];
    let client = client_with(settings(), names);
    let mut origin = origin(&home);
    origin.credentials = Credentials::Bearer(Secret("t0ken".into()));
    origin.allow_networks = vec!["127.0.0.0/8".into()];
    fetched(&client, of(origin.clone(), &home.join("1").unwrap())).await;
    fetched(&client, of(origin, &home.join("3").unwrap())).await;
    let bearer = Some("Bearer t0ken".to_owned());
    assert_eq!(
        seen(&server.asked()),
        [
            ("GET /1".into(), bearer.clone()),
            ("GET /2".into(), None),
            ("GET /3".into(), bearer.clone()),
            ("GET /3".into(), bearer),
        ]
    );
    assert!(server.asked().iter().all(|asked| asked.field("cookie").is_none()));
}

#[tokio::test]
async fn a_mirror_gets_its_own_credentials_only() {
    let home = Server::start(|_| vec![Act::Reset]).await;
    let first = Server::start(|_| whole(502, &[], b"")).await;
    let second = Server::start(|_| whole(200, &[], b"x")).await;
    let mut origin = origin(&home.url("/"));
    origin.credentials = anna();
    origin.mirrors = vec![
        Mirror {
            url: first.url("/m/"),
            username: Some("mike".into()),
            password: Some(Secret("word".into())),
        },
        Mirror {
            url: second.url("/m/"),
            username: None,
            password: None,
        },
    ];
    let mut request = of(origin, &home.url("/x"));
    request.urls = vec![home.url("/x"), first.url("/m/x"), second.url("/m/x")];
    fetched(&client(), request).await;
    assert!(
        home.asked()
            .iter()
            .all(|asked| asked.field("authorization") == Some(ANNA))
    );
    assert_eq!(seen(&first.asked()), [("GET /m/x".into(), Some(MIKE.into()))]);
    assert_eq!(seen(&second.asked()), [("GET /m/x".into(), None)]);
}

#[tokio::test]
async fn a_challenge_from_elsewhere_is_not_answered() {
    let other = Server::start(|_| whole(401, &["WWW-Authenticate: Basic realm=\"x\""], b"")).await;
    let to = format!("Location: {}", other.url("/file"));
    let home = Server::start(move |_| vec![Act::Send(response(302, &[&to], b""))]).await;
    let mut origin = origin(&home.url("/"));
    origin.credentials = anna();
    origin.allow_networks = vec!["127.0.0.1".into()];
    let answer = client().send(of(origin, &home.url("/1"))).await.unwrap();
    assert_eq!(answer.head.status, 401);
    assert_eq!(seen(&other.asked()), [("GET /file".into(), None)]);
}
