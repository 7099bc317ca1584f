//! The egress guard in front of real sockets: canaries that must never hear a connection.

use std::sync::atomic::{AtomicUsize, Ordering};

use artifactapi_core::fault::Kind;

use super::server::{Server, whole};
use super::*;

/// An upstream that redirects every path to where its query says.
async fn redirector() -> Server {
    Server::start(|asked| {
        let to = asked.line().split_once('?').map(|(_, to)| to.to_owned()).unwrap();
        whole(302, &[&format!("Location: {to}")], b"")
    })
    .await
}

/// Asks the redirector for a way of `hops` redirects that ends at `target`.
fn way(home: &Server, hops: usize, target: &str) -> Url {
    let mut url = target.to_owned();
    for _ in 0..hops {
        url = format!("{}?{url}", home.url("/hop"));
    }
    url.parse().unwrap()
}

#[tokio::test]
async fn no_spelling_of_this_machine_is_reached_on_any_hop() {
    let canary = Server::start_at("0.0.0.0:0", |_| whole(200, &[], b"secret")).await;
    let port = canary.address.port();
    let home = redirector().await;
    let names: &[(&'static str, &[&str])] = &[
        ("inner.example", &["127.0.0.1"]),
        ("localhost", &["127.0.0.1", "::1"]),
        ("mixed.example", &["203.0.113.9", "127.0.0.1"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("zero.example", &["0.0.0.0"]),
    ];
    let client = client_with(settings(), names);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "127.0.0.2",
        "localhost",
        "LOCALHOST",
        "inner.example",
        "mixed.example",
        "mapped.example",
        "zero.example",
    ];
    for host in hosts {
        for hops in 0..=5 {
            let target = way(&home, hops, &format!("http://{host}:{port}/"));
            let fault = refused(&client, of(origin(&home.url("/")), &target)).await;
            assert_eq!(fault.kind, Kind::Egress, "{host} after {hops}: {fault:?}");
            assert!(!fault.what.contains("127"), "{}", fault.what);
        }
    }
    assert_eq!((canary.connections(), client.in_flight()), (0, 0));
}

#[tokio::test]
async fn what_is_listed_is_reached() {
    let other = Server::start(|_| whole(200, &[], b"open")).await;
    let home = redirector().await;
    let port = other.address.port();
    let client = client_with(settings(), &[("inner.example", &["127.0.0.1"])]);
    for (allow, host) in [
        ("127.0.0.0/8".to_owned(), "127.0.0.1"),
        ("127.0.0.1/32".to_owned(), "inner.example"),
        (format!("http://127.0.0.1:{port}"), "127.0.0.1"),
        (format!("http://inner.example:{port}/"), "inner.example"),
    ] {
        let mut origin = origin(&home.url("/"));
        origin.allow_networks = vec![allow];
        let target = way(&home, 1, &format!("http://{host}:{port}/"));
        assert_eq!(fetched(&client, of(origin, &target)).await, b"open");
    }
}

#[tokio::test]
async fn an_own_name_may_resolve_to_anything_but_its_neighbour_may_not() {
    let home = Server::start(|asked| match asked.line() {
        "GET /ok" => whole(200, &[], b"home"),
        line => {
            let to = line.split_once('?').unwrap().1.to_owned();
            whole(302, &[&format!("Location: {to}")], b"")
        }
    })
    .await;
    let canary = Server::start(|_| whole(200, &[], b"secret")).await;
    let (port, other) = (home.address.port(), canary.address.port());
    let names: &[(&'static str, &[&str])] = &[
        ("home.example", &["127.0.0.1"]),
        ("Home.example.", &["127.0.0.1"]),
    ];
    let client = client_with(settings(), names);
    let root: Url = format!("http://home.example:{port}/").parse().unwrap();
    assert_eq!(
        fetched(&client, of(origin(&root), &root.join("ok").unwrap())).await,
        b"home"
    );
    for target in [
        format!("http://home.example:{other}/"),
        format!("http://127.0.0.1:{other}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://user@home.example:{port}/ok"),
        "ftp://home.example/".to_owned(),
        "file:///etc/hosts".to_owned(),
    ] {
        let fault = refused(
            &client,
            of(origin(&root), &root.join(&format!("to?{target}")).unwrap()),
        )
        .await;
        assert_eq!(fault.kind, Kind::Egress, "{target}: {fault:?}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_is_judged_each_time_it_is_resolved() {
    let canary = Server::start(|_| whole(200, &[], b"secret")).await;
    let target: Url = format!("http://flips.example:{}/", canary.address.port())
        .parse()
        .unwrap();
    let mut origin = origin(&"http://home.example/".parse().unwrap());
    origin.allow_networks = vec!["127.0.0.2".into()];
    let once = Settings {
        retries: 0,
        ..settings()
    };
    let client = assembled(once, Flips::default());
    let first = refused(&client, of(origin.clone(), &target)).await;
    assert_eq!(first.kind, Kind::Unreachable, "{first:?}");
    let second = refused(&client, of(origin, &target)).await;
    assert_eq!(second.kind, Kind::Egress, "{second:?}");
    assert_eq!(canary.connections(), 0);
}

/// A name that is an allowed address, where nobody listens, when first asked for, and another one ever after.
#[derive(Default)]
struct Flips(AtomicUsize);

impl Names for Flips {
    fn look_up(&self, _host: &str) -> Looking {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { "127.0.0.2" } else { "127.0.0.1" };
        let address = address.parse().unwrap();
        Box::pin(async move { Ok(vec![address]) })
    }
}

#[tokio::test]
async fn a_proxy_sees_every_request_but_those_for_inner_addresses() {
    let proxy = Server::start(|_| whole(200, &[], b"by proxy")).await;
    let canary = Server::start(|_| whole(200, &[], b"secret")).await;
    let home: Url = "http://home.example/".parse().unwrap();
    let mut origin = origin(&home);
    let mut url = proxy.url("/");
    url.set_username("anna").unwrap();
    url.set_password(Some("word")).unwrap();
    origin.egress_proxy = Some(url);
    let client = client();
    for target in [
        "http://home.example/a",
        "http://cdn.example/b",
        "http://8.8.8.8/c",
    ] {
        assert_eq!(
            fetched(&client, of(origin.clone(), &target.parse().unwrap())).await,
            b"by proxy"
        );
    }
    for target in [
        canary.url("/"),
        "http://10.0.0.1/".parse().unwrap(),
        "http://localhost/".parse().unwrap(),
    ] {
        assert_eq!(
            refused(&client, of(origin.clone(), &target)).await.kind,
            Kind::Egress,
            "{target}"
        );
    }
    assert_eq!(
        proxy.lines(),
        [
            "GET http://home.example/a",
            "GET http://cdn.example/b",
            "GET http://8.8.8.8/c"
        ]
    );
    for asked in proxy.asked() {
        assert_eq!(asked.field("proxy-authorization"), Some("Basic YW5uYTp3b3Jk"));
        assert_eq!(asked.field("authorization"), None);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn names_behind_a_local_socks_proxy_are_judged_here() {
    let canary = Server::start(|_| whole(200, &[], b"secret")).await;
    let mut origin = origin(&"http://home.example/".parse().unwrap());
    origin.egress_proxy = Some(format!("socks5://{}", canary.address).parse().unwrap());
    let client = client_with(settings(), &[("inner.example", &["10.0.0.1"])]);
    let fault = refused(&client, of(origin, &"http://inner.example/".parse().unwrap())).await;
    assert_eq!(fault.kind, Kind::Egress, "{fault:?}");
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn the_proxy_may_have_a_name_in_an_inner_network() {
    let proxy = Server::start(|_| whole(200, &[], b"by proxy")).await;
    let mut origin = origin(&"http://home.example/".parse().unwrap());
    let url = format!("http://proxy.example:{}", proxy.address.port());
    origin.egress_proxy = Some(url.parse().unwrap());
    let client = client_with(settings(), &[("proxy.example", &["127.0.0.1"])]);
    for target in ["http://home.example/a", "http://cdn.example/b"] {
        assert_eq!(
            fetched(&client, of(origin.clone(), &target.parse().unwrap())).await,
            b"by proxy"
        );
    }
    let fault = refused(&client, of(origin, &"http://proxy.example:22/".parse().unwrap())).await;
    assert_eq!(fault.kind, Kind::Egress);
}
