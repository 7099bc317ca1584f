//! Header fields on their way out and in: what an upstream is told, and what of its answer goes on.

use artifactapi_core::Headers;
use artifactapi_core::port::upstream::{Coding, Request};
use reqwest::header::{ACCEPT_ENCODING, CONNECTION, HeaderMap, HeaderName, HeaderValue};

/// Fields that speak of one connection (RFC 9110 §7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that callers may not set: this crate does, or nobody.
const OURS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "content-length",
    "cookie",
    "expect",
    "host",
    "user-agent",
];

/// Fields of an answer that never go on: state for one client.
const DROPPED: &[&str] = &["set-cookie", "set-cookie2"];

/// Fields that describe the coded bytes and are wrong once they are decoded.
const OF_CODED_BYTES: &[&str] = &[
    "accept-ranges",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "digest",
    "repr-digest",
];

/// The fields to send on every hop; `Authorization` is added per hop.
pub(crate) fn outgoing(request: &Request) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in request.headers.iter() {
        if HOP_BY_HOP.contains(&name) || OURS.contains(&name) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            fields.append(name, value);
        }
    }
    let coding = match request.coding {
        Coding::Raw | Coding::Identity => HeaderValue::from_static("identity"),
        Coding::Decode => HeaderValue::from_static("gzip"),
    };
    fields.insert(ACCEPT_ENCODING, coding);
    fields
}

/// The fields of an answer that go on: end to end, and of visible ASCII.
pub(crate) fn incoming(fields: &HeaderMap) -> Headers {
    let named: Vec<String> = fields
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    fields
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            !HOP_BY_HOP.contains(&name)
                && !DROPPED.contains(&name)
                && !named.iter().any(|other| other == name)
        })
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect()
}

/// Drops what no longer holds for decoded bytes.
pub(crate) fn decoded(fields: &mut Headers) {
    for name in OF_CODED_BYTES {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use artifactapi_core::port::upstream::{Credentials, Method, Origin};
    use artifactapi_core::repository::RepoId;

    use super::*;

    fn request(coding: Coding, headers: &[(&str, &str)]) -> Request {
        Request {
            origin: Arc::new(Origin {
                repo: RepoId(uuid::Uuid::nil()),
                revision: 1,
                roots: Vec::new(),
                credentials: Credentials::Anonymous,
                mirrors: Vec::new(),
                allow_networks: Vec::new(),
                egress_proxy: None,
                ca_bundle: None,
            }),
            method: Method::Get,
            urls: Vec::new(),
            headers: headers.iter().copied().collect(),
            coding,
            digest_known: false,
            limit: 0,
        }
    }

    #[test]
    fn what_belongs_to_us_or_to_a_connection_is_not_sent() {
        let fields = outgoing(&request(
            Coding::Raw,
            &[
                ("Accept", "a/b"),
                ("If-None-Match", "\"x\""),
                ("Authorization", "Basic x"),
                ("Cookie", "a=b"),
                ("Host", "evil.example"),
                ("Accept-Encoding", "br"),
                ("Transfer-Encoding", "chunked"),
                ("Upgrade", "h2c"),
                ("X-Bad", "a\r\nb: c"),
            ],
        ));
        let names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "if-none-match", "accept-encoding"]);
        assert_eq!(fields.get(ACCEPT_ENCODING).unwrap(), "identity");
    }

    #[test]
    fn only_decoded_bodies_are_asked_for_compressed() {
        for (coding, asked) in [
            (Coding::Raw, "identity"),
            (Coding::Identity, "identity"),
            (Coding::Decode, "gzip"),
        ] {
            assert_eq!(
                outgoing(&request(coding, &[])).get(ACCEPT_ENCODING).unwrap(),
                asked
            );
        }
    }

    #[test]
    fn fields_of_a_connection_cookies_and_odd_bytes_do_not_go_on() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("content-type", "a/b"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("proxy-authenticate", "Basic"),
            ("set-cookie", "a=b"),
            ("etag", "\"x\""),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        fields.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        let kept = incoming(&fields);
        assert_eq!(
            kept.iter().collect::<Vec<_>>(),
            [("content-type", "a/b"), ("etag", "\"x\"")]
        );
    }
}
