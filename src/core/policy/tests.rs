use proptest::prelude::*;
use serde_json::json;

use super::*;

fn settings(changes: &serde_json::Value) -> RemoteSettings {
    let mut document = json!({"base_url": "https://files.example/"});
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    serde_json::from_value(document).unwrap()
}

fn policy(changes: &serde_json::Value) -> Policy {
    Policy::compile(&settings(changes)).unwrap()
}

fn key(path: &str) -> Key {
    Key::decode(path).unwrap()
}

fn allows(policy: &Policy, path: &str, service: bool) -> bool {
    policy.admit(&key(path), service) == Admission::Allowed
}

fn fields(changes: &serde_json::Value) -> Vec<String> {
    validate(&settings(changes))
        .into_iter()
        .map(|e| e.field)
        .collect()
}

#[test]
fn no_patterns_mean_an_open_proxy() {
    let policy = policy(&json!({}));
    assert!(allows(&policy, "any/thing", false));
    assert!(allows(&Policy::open(), "any/thing", false));
}

#[test]
fn the_blocklist_comes_first_even_for_service_documents() {
    let policy = policy(&json!({"blocklist": ["evil", "^index"], "patterns": ["^pool/"]}));
    assert!(allows(&policy, "pool/a.deb", false));
    assert!(!allows(&policy, "pool/evil.deb", false));
    assert!(!allows(&policy, "other/a.deb", false));
    assert!(allows(&policy, "other/listing", true));
    assert!(!allows(&policy, "index", true));
}

#[test]
fn an_encoded_slash_hides_nothing() {
    let policy = policy(&json!({"blocklist": ["^private/"], "patterns": ["^[^/]+$", "^private/"]}));
    assert!(!allows(&policy, "private%2Fkey", false));
    assert!(!allows(&policy, "public%2Fkey", false));
    assert!(allows(&policy, "file", false));
}

#[test]
fn the_blocklist_may_name_an_encoded_slash() {
    let policy = policy(&json!({"blocklist": ["odd%2Fname"]}));
    assert!(!allows(&policy, "odd%2fname", false));
    assert!(allows(&policy, "odd/name", false));
}

#[test]
fn queries_are_left_out_and_question_marks_are_not() {
    let policy = policy(&json!({"blocklist": ["secret", "a\\?b"]}));
    let admit = |key: &Key| policy.admit(key, false) == Admission::Allowed;
    assert!(admit(&key("file").with_query("secret").unwrap()));
    assert!(!admit(&key("secret").with_query("x").unwrap()));
    assert!(!admit(&key("a%3fb")));
}

#[test]
fn overrides_force_the_lifetime_and_mutable_wins() {
    let policy = policy(&json!({"mutable_patterns": ["latest"], "immutable_patterns": ["^v[0-9]"]}));
    for (path, by_type, expected) in [
        ("v1/a", Lifetime::Mutable, Lifetime::Immutable),
        ("v1/latest", Lifetime::Immutable, Lifetime::Mutable),
        ("a", Lifetime::Immutable, Lifetime::Immutable),
        ("a", Lifetime::Mutable, Lifetime::Mutable),
        ("v1/latest", Lifetime::Hosted, Lifetime::Hosted),
    ] {
        assert_eq!(policy.lifetime(&key(path), by_type), expected, "{path}");
    }
}

#[test]
fn refused_patterns_say_where_and_why() {
    let bad = settings(&json!({
        "patterns": ["fine", "^(?!.*\\.tgz$).*"],
        "blocklist": ["("],
        "mutable_patterns": ["(a)\\1"],
        "immutable_patterns": ["(?:a{1000}){1000}"],
    }));
    let errors = Policy::compile(&bad).unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|e| (e.field.as_str(), e.reason.as_str()))
        .collect();
    assert_eq!(found.len(), 4, "{found:?}");
    for (field, word) in [
        ("patterns.1", "look-around"),
        ("blocklist.0", "unclosed group"),
        ("mutable_patterns.0", "backreferences are not supported"),
        ("immutable_patterns.0", "too large"),
    ] {
        let named = found
            .iter()
            .any(|(f, reason)| *f == field && reason.contains(word));
        assert!(named, "{field}: {found:?}");
    }
    assert!(validate(&bad).len() >= 4);
}

#[test]
fn lists_are_bounded() {
    assert_eq!(fields(&json!({"patterns": vec!["a"; 1_001]})), ["patterns"]);
    let large: Vec<_> = (0..40).map(|i| format!("{i}(?:[a-z]{{100}}){{100}}")).collect();
    assert!(!fields(&json!({"blocklist": large})).is_empty());
}

#[test]
fn good_settings_pass() {
    assert_eq!(
        fields(&json!({
            "index_url": "http://index.example:8080/simple",
            "mirrors": [{"url": "https://m.example/", "username": "u", "password": "p"}],
            "username": "u",
            "password": "p w",
            "allow_networks": ["10.0.0.0/8", "fd00::/8", "127.0.0.1", "http://localhost:9000", "https://[::1]"],
            "egress_proxy": "socks5://proxy.example:1080",
            "ca_bundle": "-----BEGIN CERTIFICATE-----\n",
        })),
        [""; 0]
    );
}

#[test]
fn every_bad_setting_is_named() {
    for (changes, field) in [
        (json!({"base_url": "ftp://h.example/"}), "base_url"),
        (json!({"base_url": "https://u:p@h.example/"}), "base_url"),
        (json!({"base_url": "https://h.example/?q"}), "base_url"),
        (json!({"base_url": "data:,x"}), "base_url"),
        (json!({"index_url": "https://h.example/#f"}), "index_url"),
        (json!({"mirrors": [{"url": "file:///etc"}]}), "mirrors.0.url"),
        (
            json!({"mirrors": [{"url": "http://m.example", "password": "p"}]}),
            "mirrors.0.password",
        ),
        (json!({"password": "p"}), "password"),
        (json!({"username": "u"}), "username"),
        (json!({"username": "u:v", "password": "p"}), "username"),
        (json!({"username": "u", "password": "p\r\nx: y"}), "password"),
        (json!({"token": "t", "username": "u", "password": "p"}), "token"),
        (json!({"token": "a b"}), "token"),
        (
            json!({"allow_networks": ["10.0.0.0/8", "nonsense"]}),
            "allow_networks.1",
        ),
        (
            json!({"allow_networks": ["http://h.example/path"]}),
            "allow_networks.0",
        ),
        (json!({"egress_proxy": "ftp://h.example"}), "egress_proxy"),
        (json!({"egress_proxy": "http://u:p@h.example"}), "egress_proxy"),
        (json!({"ca_bundle": "hello"}), "ca_bundle"),
    ] {
        assert_eq!(fields(&changes), [field], "{changes}");
    }
}

#[test]
fn networks_are_read_as_addresses_or_origins() {
    assert_eq!(
        Network::parse("10.1.2.3/8"),
        Some(Network::Addresses("10.0.0.0/8".parse().unwrap()))
    );
    assert_eq!(
        Network::parse("::1"),
        Some(Network::Addresses("::1/128".parse().unwrap()))
    );
    assert_eq!(
        Network::parse("http://H.example:80"),
        Network::parse("http://h.example")
    );
    assert_ne!(
        Network::parse("http://localhost"),
        Network::parse("http://127.0.0.1")
    );
    for bad in [
        "",
        "host",
        "ftp://h.example",
        "http://h.example/?x",
        "10.0.0.0/33",
    ] {
        assert_eq!(Network::parse(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_blocked_stays_blocked_whatever_else_is_set(
        path in "[a-c]{1,3}(/[a-c]{1,3}){0,2}",
        blocked in "[a-c]{1,2}",
        allowed in proptest::collection::vec("[a-c]{1,2}", 0..3),
        service in any::<bool>(),
    ) {
        let policy = policy(&json!({"blocklist": [blocked], "patterns": allowed}));
        let expected = !path.contains(&blocked)
            && (service || allowed.is_empty() || allowed.iter().any(|a| path.contains(a)));
        prop_assert_eq!(allows(&policy, &path, service), expected);
    }
}
