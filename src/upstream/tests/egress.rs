//! The guard's vectors: every spelling of an address that is known to have slipped through somebody's filter.

use artifactapi_core::repository::{Mirror, RepoId};

use super::*;

fn guard(roots: &[&str], allow: &[&str], proxy: Option<&str>) -> Guard {
    Guard::of(&Origin {
        repo: RepoId(uuid::Uuid::nil()),
        revision: 1,
        roots: roots.iter().map(|url| url.parse().unwrap()).collect(),
        credentials: artifactapi_core::port::upstream::Credentials::Anonymous,
        mirrors: Vec::new(),
        allow_networks: allow.iter().map(|&entry| entry.to_owned()).collect(),
        egress_proxy: proxy.map(|url| url.parse().unwrap()),
        ca_bundle: None,
    })
}

fn judged(guard: &Guard, target: &str) -> Option<Trust> {
    let url = Url::parse(target).ok()?;
    match guard.judge(&url) {
        Ok(trust) => Some(trust),
        Err(fault) => {
            assert_eq!(fault.kind, Kind::Egress, "{target}");
            None
        }
    }
}

/// Literal hosts in every form that the URL parser turns into an address (or refuses as a URL).
const REFUSED: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "0",
    "0.0.0.0",
    "0x0",
    "00000000.0",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "10.0.0.1",
    "10.1",
    "167772161",
    "0xa.0.0.1",
    "012.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1",
    "3232235521",
    "0xc0a80001",
    "100.64.0.1",
    "100.100.100.200",
    "0x646464c8",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[::ffff:0.0.0.0]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::]",
    "[2002:c0a8:1::1]",
    "[2001:0:7f00:1::f7f7:f7f7]",
    "[2001:0:808:808::80ff:fffe]",
    "[2600::5efe:a00:1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:224.0.0.1]",
    "[::1%25lo]",
    "[::1%lo]",
    "127.0.0.1%00.h.example",
    "256.0.0.1",
    "1.2.3.4.5",
    "0x7f.0.0.1.",
];

#[test]
fn every_spelling_of_an_inner_address_is_refused() {
    let guard = guard(&["https://h.example/"], &[], None);
    for host in REFUSED {
        for target in [
            format!("http://{host}/x"),
            format!("https://{host}/x"),
            format!("http://{host}:8080/latest/meta-data"),
        ] {
            assert_eq!(judged(&guard, &target), None, "{target}");
        }
    }
    assert!(REFUSED.len() >= 60);
}

#[test]
fn public_and_documentation_addresses_and_names_are_open() {
    let guard = guard(&["https://h.example/"], &[], None);
    for host in [
        "8.8.8.8",
        "203.0.113.80",
        "192.0.2.1",
        "198.51.100.1",
        "[2001:db8::1]",
        "[2606:4700::1111]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::808:808]",
        "files.h.example",
        "h.example.",
        "127.0.0.1.files.example",
        "xn--bcher-kva.example",
        "localhost",
    ] {
        assert_eq!(
            judged(&guard, &format!("http://{host}/x")),
            Some(Trust::Stranger),
            "{host}"
        );
    }
}

#[test]
fn origins_are_scheme_host_and_port() {
    let guard = guard(
        &["http://127.0.0.1:8000/base/", "http://localhost:8001/"],
        &[],
        None,
    );
    for (target, verdict) in [
        ("http://127.0.0.1:8000/elsewhere", Some(Trust::Own)),
        ("http://127.0.0.1:8001/", None),
        ("https://127.0.0.1:8000/", None),
        ("http://127.0.0.1/", None),
        ("http://[::1]:8000/", None),
        ("http://[::ffff:127.0.0.1]:8000/", None),
        ("http://0.0.0.0:8000/", None),
        ("http://localhost:8001/", Some(Trust::Own)),
        ("http://LOCALHOST:8001/", Some(Trust::Own)),
        ("http://localhost.:8001/", Some(Trust::Stranger)),
        ("http://localhost:8000/", Some(Trust::Stranger)),
        ("http://10.0.0.1:8000/", None),
        ("http://169.254.169.254:8000/", None),
        ("http://2130706433:8000/", Some(Trust::Own)),
    ] {
        assert_eq!(judged(&guard, target), verdict, "{target}");
    }
}

#[test]
fn other_schemes_and_credentials_in_urls_are_refused_even_at_home() {
    let guard = guard(&["https://h.example/"], &[], None);
    for target in [
        "ftp://h.example/",
        "file:///etc/passwd",
        "gopher://h.example/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ws://h.example/",
        "https://user@h.example/",
        "https://user:word@h.example/",
        "https://:word@h.example/",
        "https://h.example@127.0.0.1/",
        "https://8.8.8.8#@127.0.0.1:1@/",
    ] {
        let verdict = judged(&guard, target);
        assert!(verdict.is_none() || target.contains('#'), "{target}");
    }
}

#[test]
fn listed_networks_and_origins_are_open_and_nothing_beside_them() {
    let guard = guard(
        &["https://h.example/"],
        &[
            "10.2.0.0/16",
            "fd00:1::/32",
            "172.16.0.9",
            "http://127.0.0.1:9000",
            "nonsense",
            "10.0.0.0/99",
        ],
        None,
    );
    for (target, verdict) in [
        ("http://10.2.3.4/", Some(Trust::Stranger)),
        ("http://[::ffff:10.2.3.4]/", Some(Trust::Stranger)),
        ("http://10.3.0.1/", None),
        ("http://[fd00:1::5]/", Some(Trust::Stranger)),
        ("http://[fd00:2::5]/", None),
        ("http://172.16.0.9/", Some(Trust::Stranger)),
        ("http://172.16.0.10/", None),
        ("http://127.0.0.1:9000/x", Some(Trust::Own)),
        ("http://127.0.0.1:9001/x", None),
        ("http://[2002:a02:304::]/", None),
    ] {
        assert_eq!(judged(&guard, target), verdict, "{target}");
    }
}

#[test]
fn mirrors_and_the_proxy_are_own_origins() {
    let mut origin = Origin {
        repo: RepoId(uuid::Uuid::nil()),
        revision: 1,
        roots: vec!["https://h.example/".parse().unwrap()],
        credentials: artifactapi_core::port::upstream::Credentials::Anonymous,
        mirrors: vec![Mirror {
            url: "http://192.168.7.7:81/m/".parse().unwrap(),
            username: None,
            password: None,
        }],
        allow_networks: Vec::new(),
        egress_proxy: Some("http://10.9.9.9:3128".parse().unwrap()),
        ca_bundle: None,
    };
    let guard = Guard::of(&origin);
    assert_eq!(judged(&guard, "http://192.168.7.7:81/x"), Some(Trust::Own));
    assert_eq!(judged(&guard, "http://10.9.9.9:3128/x"), Some(Trust::Own));
    assert_eq!(judged(&guard, "http://10.9.9.9/x"), None);
    origin.egress_proxy = Some("socks5://10.9.9.9:1080".parse().unwrap());
    assert_eq!(judged(&Guard::of(&origin), "http://10.9.9.9:1080/x"), None);
}

#[test]
fn behind_a_proxy_names_of_its_own_machine_are_refused() {
    let guard = guard(&["https://h.example/"], &[], Some("http://proxy.example:3128"));
    for (target, verdict) in [
        ("http://localhost/", None),
        ("http://a.localhost./", None),
        ("http://proxy.example:22/", None),
        ("http://proxy.example.:3128/", None),
        ("http://127.1/", None),
        ("http://files.example/", Some(Trust::Stranger)),
    ] {
        assert_eq!(judged(&guard, target), verdict, "{target}");
    }
}

#[test]
fn a_redirect_never_falls_from_https_to_http() {
    let guard = guard(&["https://h.example/", "http://h.example/"], &[], None);
    let url = |text: &str| Url::parse(text).unwrap();
    let fault = guard
        .judge_hop(&url("https://h.example/"), &url("http://h.example/"))
        .unwrap_err();
    assert_eq!(fault.kind, Kind::Egress);
    assert!(
        guard
            .judge_hop(&url("http://h.example/"), &url("https://h.example/"))
            .is_ok()
    );
}

#[test]
fn a_refusal_tells_no_address() {
    let guard = guard(&["https://h.example/"], &[], None);
    let fault = guard
        .judge(&Url::parse("http://10.20.30.40/").unwrap())
        .unwrap_err();
    assert!(!fault.what.contains("10.20"), "{}", fault.what);
    assert_eq!(fault.cause.as_deref(), Some("10.20.30.40"));
}
