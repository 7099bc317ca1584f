//! No request leaves for a forbidden address, and credentials go to their own origin only.
//!
//! The forbidden addresses are real ones of a network namespace of its own, with listeners that count connections:
//! the test starts itself again inside `unshare --net`.

mod credentials;
mod namespace;

use std::net::SocketAddr;

use serde_json::json;

use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::python;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

/// Apart, because the servers of real stores are not in the namespace.
mod embedded {
    #[test]
    fn no_request_leaves_for_a_forbidden_address() {
        if !super::namespace::inside() {
            return super::namespace::rerun("egress::embedded::no_request_leaves_for_a_forbidden_address");
        }
        super::namespace::raise(&["169.254.169.254", "10.0.0.1", "fd00::1"]).expect("addresses of our own");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(super::forbidden_addresses_stay_untouched());
    }
}

/// Listeners on forbidden addresses, each proven to count.
struct Canaries {
    all: Vec<Upstream>,
    /// A loopback port that no setting lists.
    unlisted: u16,
}

impl Canaries {
    async fn set() -> Self {
        let free = Upstream::start();
        let unlisted = free.address().port();
        let mut all = vec![free];
        let addresses = [
            "169.254.169.254:80",
            "10.0.0.1:80",
            "[fd00::1]:80",
            "127.0.0.2:80",
        ];
        let addresses = addresses
            .into_iter()
            .map(str::to_owned)
            .chain([format!("[::1]:{unlisted}")]);
        for address in addresses {
            let address: SocketAddr = address.parse().unwrap();
            all.push(Upstream::bind(address).expect("an address of the namespace"));
        }
        let canaries = Self { all, unlisted };
        for canary in &canaries.all {
            let probe = reqwest::Client::builder().no_proxy().build().unwrap();
            assert_eq!(
                Reply::of(probe.get(canary.url())).await.status,
                404,
                "a canary that hears"
            );
        }
        canaries
    }

    /// Connections beyond the one that proved each canary.
    fn heard(&self) -> Vec<(String, usize)> {
        let heard = self
            .all
            .iter()
            .map(|canary| (canary.url(), canary.connections() - 1));
        heard.filter(|(_, count)| *count > 0).collect()
    }

    /// URLs that must not be followed, in many spellings.
    fn vectors(&self) -> Vec<String> {
        let port = self.unlisted;
        let hosts = [
            "169.254.169.254",
            "169.254.169.254:80",
            "10.0.0.1",
            "user:secret@10.0.0.1",
            "10.0.0.1.",
            "10.1",
            "167772161",
            "0xa.0.0.1",
            "012.0.0.1",
            "[fd00::1]",
            "[fd00:0:0::1]:80",
            "127.0.0.2",
            "127.2",
            "2130706434",
            "0x7f000002",
            "0177.0.0.2",
            "[::ffff:127.0.0.2]",
            "[::ffff:7f00:2]",
            "[::ffff:10.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
        ];
        let loopback = [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "0.0.0.0",
            "[::]",
            "127.1",
            "[::ffff:127.0.0.1]",
            "localhost.",
        ];
        let plain = hosts.iter().map(|host| format!("http://{host}/x"));
        let ported = loopback.iter().map(|host| format!("http://{host}:{port}/x"));
        let odd = [
            "//10.0.0.1/x",
            "\\\\10.0.0.1\\x",
            "https://10.0.0.1:80/x",
            "file:///etc/hostname",
            "ftp://10.0.0.1:80/x",
        ];
        plain.chain(ported).chain(odd.map(str::to_owned)).collect()
    }
}

async fn forbidden_addresses_stay_untouched() {
    let canaries = Canaries::set().await;
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    app.create_remote("p", "pypi", &upstream.url(), json!({})).await;
    let vectors = canaries.vectors();
    let mut asked = 0;
    for (number, vector) in vectors.iter().enumerate() {
        for path in lay_out(&upstream, number, vector) {
            let repo = if path.starts_with("simple") || path.starts_with("packages") {
                "p"
            } else {
                "g"
            };
            let reply = app.read(repo, &path).await;
            assert!(
                !reply.complete(),
                "{vector} by {path}: {} {}",
                reply.status,
                reply.text()
            );
            assert!(reply.status >= 400, "{vector} by {path}: {}", reply.status);
            assert_eq!(
                canaries.heard(),
                [],
                "{vector} by {path}: {} {}",
                reply.status,
                reply.text()
            );
            asked += 1;
        }
    }
    println!(
        "egress: {} addresses, {asked} requests, 0 connections to a canary",
        vectors.len()
    );
    assert!(app.objects("g").await.is_empty());
    listed_ones_are_reached(&app, &upstream, &canaries).await;
}

/// Puts a vector behind one redirect, behind four, behind an index's redirect, and into an index; gives the paths.
fn lay_out(upstream: &Upstream, number: usize, vector: &str) -> [String; 4] {
    let near = format!("near-{number}");
    upstream.set(&format!("/{near}"), Script::redirect(vector));
    let far = format!("far-{number}");
    for hop in 0..3 {
        let next = format!("/far-{number}-{}", hop + 1);
        let here = if hop == 0 {
            format!("/{far}")
        } else {
            format!("/far-{number}-{hop}")
        };
        upstream.set(&here, Script::redirect(&next));
    }
    upstream.set(&format!("/far-{number}-3"), Script::redirect(vector));
    upstream.set(&format!("/simple/r{number}/"), Script::redirect(vector));
    let file = format!("d{number}-1.0-py3-none-any.whl");
    let entry = python::File::new(&file, vector, b"x");
    upstream.set(
        &format!("/simple/d{number}/"),
        python::json_page(&format!("d{number}"), &[entry]),
    );
    [
        near,
        far,
        format!("simple/r{number}/"),
        format!("packages/d{number}/{file}"),
    ]
}

/// The rule is a list, not a wall: what a setting names is reached, and redirects within the origin are followed.
async fn listed_ones_are_reached(app: &App, upstream: &Upstream, canaries: &Canaries) {
    let open = format!("http://127.0.0.1:{}", canaries.unlisted);
    let settings = json!({"allow_networks": ["10.0.0.0/8", open]});
    app.create_remote("listed", "generic", &upstream.url(), settings)
        .await;
    for (path, to) in [
        ("/ten", "http://10.0.0.1/x".to_owned()),
        ("/open", format!("{open}/x")),
        ("/own", "/x".to_owned()),
    ] {
        upstream.set(path, Script::redirect(&to));
    }
    upstream.set("/x", Script::new("own"));
    canaries.all[0].set("/x", Script::new("open"));
    canaries.all[2].set("/x", Script::new("ten"));
    app.read("listed", "ten").await.expect_bytes(b"ten");
    app.read("listed", "open").await.expect_bytes(b"open");
    app.read("listed", "own").await.expect_bytes(b"own");
}
