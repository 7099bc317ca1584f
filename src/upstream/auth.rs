//! Which credentials go where: to the origin they belong to, and nowhere else, on every hop anew.

use artifactapi_core::port::upstream::{Credentials, Origin};
use artifactapi_core::repository::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use url::Url;

/// The `Authorization` for one hop; nothing where none belongs.
///
/// Roots and mirrors of one origin are told apart by their paths, so that a mirror never sees the remote's password
/// although it lies on the same host.
pub(crate) fn authorization(origin: &Origin, target: &Url) -> Option<HeaderValue> {
    let roots = origin.roots.iter().map(|root| (root, Owner::Roots));
    let mirrors = origin
        .mirrors
        .iter()
        .map(|mirror| (&mirror.url, Owner::Mirror(&mirror.username, &mirror.password)));
    let owner = roots
        .chain(mirrors)
        .filter(|(base, _)| base.origin() == target.origin())
        // The first of the longest: roots come before mirrors.
        .fold(None, |best: Option<(usize, Owner<'_>)>, (base, owner)| {
            let depth = depth_below(base, target);
            match best {
                Some((known, _)) if known >= depth => best,
                Some(_) | None => Some((depth, owner)),
            }
        })
        .map(|(_, owner)| owner)?;
    match owner {
        Owner::Roots => value(&origin.credentials),
        Owner::Mirror(Some(username), password) => basic(username, password.as_ref()),
        Owner::Mirror(None, _) => None,
    }
}

#[derive(Clone, Copy)]
enum Owner<'a> {
    Roots,
    Mirror(&'a Option<String>, &'a Option<Secret>),
}

/// How many bytes of the target's path the base covers, plus one; zero where it lies outside.
fn depth_below(base: &Url, target: &Url) -> usize {
    let path = base.path().trim_end_matches('/');
    match target.path().strip_prefix(path) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => path.len().saturating_add(1),
        Some(_) | None => 0,
    }
}

fn value(credentials: &Credentials) -> Option<HeaderValue> {
    match credentials {
        Credentials::Anonymous => None,
        Credentials::Basic { username, password } => basic(username, Some(password)),
        Credentials::Bearer(token) => sensitive(&format!("Bearer {}", token.0)),
    }
}

/// RFC 7617 §2, in UTF-8.
fn basic(username: &str, password: Option<&Secret>) -> Option<HeaderValue> {
    let password = password.map_or("", |secret| secret.0.as_str());
    sensitive(&format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    ))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use artifactapi_core::repository::{Mirror, RepoId};

    use super::*;

    fn origin(credentials: Credentials) -> Origin {
        let mirror = |url: &str, username: Option<&str>| Mirror {
            url: url.parse().unwrap(),
            username: username.map(str::to_owned),
            password: username.map(|name| Secret(format!("{name}-word"))),
        };
        Origin {
            repo: RepoId(uuid::Uuid::nil()),
            revision: 1,
            roots: ["https://h.example/simple", "https://files.example/"]
                .map(|url| url.parse().unwrap())
                .into(),
            credentials,
            mirrors: vec![
                mirror("https://m.example/a/", Some("mike")),
                mirror("https://h.example/mirror/", None),
                mirror("https://h.example/other", Some("olga")),
            ],
            allow_networks: Vec::new(),
            egress_proxy: None,
            ca_bundle: None,
        }
    }

    fn sent(origin: &Origin, target: &str) -> Option<String> {
        let value = authorization(origin, &target.parse().unwrap())?;
        assert!(value.is_sensitive());
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn credentials_go_to_their_origin_only() {
        let origin = origin(Credentials::Basic {
            username: "anna".into(),
            password: Secret("wörd:x".into()),
        });
        let anna = Some(format!("Basic {}", STANDARD.encode("anna:wörd:x")));
        for (target, expected) in [
            ("https://h.example/simple/a/", anna.clone()),
            ("https://h.example/elsewhere", anna.clone()),
            ("https://h.example:443/simple", anna.clone()),
            ("https://files.example/x", anna),
            ("http://h.example/simple/a/", None),
            ("https://h.example:8443/simple/a/", None),
            ("https://h.example./simple/a/", None),
            ("https://sub.h.example/simple/a/", None),
            ("https://cdn.example/x", None),
        ] {
            assert_eq!(sent(&origin, target), expected, "{target}");
        }
    }

    #[test]
    fn mirrors_have_their_own_or_none() {
        let origin = origin(Credentials::Bearer(Secret("t0ken".into())));
        let of = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
        for (target, expected) in [
            ("https://m.example/a/x", of("mike:mike-word")),
            ("https://m.example/elsewhere", of("mike:mike-word")),
            ("https://h.example/mirror/x", None),
            ("https://h.example/other/x", of("olga:olga-word")),
            ("https://h.example/others/x", Some("Bearer t0ken".into())),
            ("https://h.example/simple/x", Some("Bearer t0ken".into())),
        ] {
            assert_eq!(sent(&origin, target), expected, "{target}");
        }
    }

    #[test]
    fn a_secret_that_is_no_header_value_is_not_sent() {
        let origin = origin(Credentials::Bearer(Secret("a\r\nX: y".into())));
        assert_eq!(sent(&origin, "https://h.example/simple/x"), None);
    }
}
