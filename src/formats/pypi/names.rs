//! Names of projects and of files, and the addresses that are made of them.

use std::borrow::Cow;

use artifactapi_core::Key;
use artifactapi_core::key::encode_path;

use crate::kit::media::ends_with;

/// What may follow a distribution's name to name a file about it.
const SIDECARS: [&str; 3] = [METADATA, SIGNATURE, PROVENANCE];

/// Ending of core metadata (PEP 658).
pub(super) const METADATA: &str = ".metadata";
/// Ending of a detached signature (PEP 503).
pub(super) const SIGNATURE: &str = ".asc";
/// Ending of attestations (PEP 740), as we spell it.
pub(super) const PROVENANCE: &str = ".provenance";

/// Endings of distributions, as pip and uv and their elders know them. Other links of a page lead elsewhere.
const DISTRIBUTIONS: [&str; 20] = [
    ".whl",
    ".tar.gz",
    ".zip",
    ".tgz",
    ".tar.bz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tar.lz",
    ".tlz",
    ".tar.lzma",
    ".tar.zst",
    ".tar.z",
    ".tar",
    ".egg",
    ".exe",
    ".msi",
    ".rpm",
    ".deb",
    ".dmg",
];

/// Whether a file is a distribution by its ending.
pub(super) fn is_distribution(file: &str) -> bool {
    DISTRIBUTIONS.iter().any(|ending| ends_with(file, ending))
}

/// The canonical form of a project's name (PEP 503); `None` if it cannot be one (PEP 508).
pub(super) fn normalised(name: &str) -> Option<String> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || is_separator(byte);
    let bytes = name.as_bytes();
    if !edge(bytes.first()) || !edge(bytes.last()) || !bytes.iter().copied().all(inner) {
        return None;
    }
    let mut normal = String::with_capacity(name.len());
    for byte in bytes {
        if !is_separator(*byte) {
            normal.push(char::from(byte.to_ascii_lowercase()));
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    Some(normal)
}

fn is_separator(byte: u8) -> bool {
    b"-_.".contains(&byte)
}

/// Whether a file may be called so here: one segment of a path that survives every decoder, with room for a sidecar's
/// ending.
pub(super) fn is_safe_file(name: &str) -> bool {
    if name.is_empty() || name.len() > 255 - PROVENANCE.len() || name == "." || name == ".." {
        return false;
    }
    is_plain(name) || survives_decoding(name)
}

/// Whether a name stands in a URL as it is; nearly all do.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._+!~".contains(&byte))
}

/// The slow path of [`is_safe_file`], for the few names with unusual characters.
fn survives_decoding(name: &str) -> bool {
    let slashed = name.contains('/') || name.contains("%2F") || name.contains("%3F");
    !slashed && Key::decode(&encode_path(name)).is_ok_and(|key| key.as_str() == name)
}

/// The distribution that a file is about: itself, or what a sidecar stands beside.
pub(super) fn distribution(file: &str) -> &str {
    SIDECARS
        .iter()
        .find_map(|ending| file.strip_suffix(ending))
        .unwrap_or(file)
}

/// Where a file is, relative to its project's page; stable, because lock files keep it.
pub(super) fn relative_url(project: &str, file: &str) -> String {
    format!("../../packages/{project}/{}", encoded(file))
}

/// A file's name as it stands in a URL.
pub(super) fn encoded(file: &str) -> Cow<'_, str> {
    if is_plain(file) {
        Cow::Borrowed(file)
    } else {
        Cow::Owned(encode_path(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn project_names_are_normalised_as_pep_503_says() {
        for (name, normal) in [
            ("requests", Some("requests")),
            ("Foo.Bar_baz", Some("foo-bar-baz")),
            ("a.-_b", Some("a-b")),
            ("7z", Some("7z")),
            ("", None),
            ("-a", None),
            ("a.", None),
            ("a b", None),
            ("ä", None),
            ("a%2Fb", None),
        ] {
            assert_eq!(normalised(name).as_deref(), normal, "{name}");
        }
    }

    #[test]
    fn only_names_that_survive_every_decoder_are_files() {
        for good in [
            "a-1.0.tar.gz",
            "torch-2.0+cu118.whl",
            "a b.whl",
            "ü.zip",
            "100%.zip",
            "a:b",
        ] {
            assert!(is_safe_file(good), "{good}");
        }
        let long = "a".repeat(245);
        for bad in [
            "", ".", "..", "a/b", "a%2Fb", "a%2fb", "a\\b", "a\nb", "a?b", "%2e%2e", &long,
        ] {
            assert!(!is_safe_file(bad), "{bad}");
        }
    }

    #[test]
    fn a_sidecar_belongs_to_its_distribution() {
        for file in ["a.whl", "a.whl.metadata", "a.whl.asc", "a.whl.provenance"] {
            assert_eq!(distribution(file), "a.whl");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(name in "[A-Za-z0-9._-]{0,20}") {
            if let Some(normal) = normalised(&name) {
                prop_assert_eq!(normalised(&normal), Some(normal.clone()));
                prop_assert!(!normal.contains("--"));
            }
        }

        #[test]
        fn safe_files_come_back_from_their_url(name in "[a-z0-9 %+&#;=ü.:-]{1,30}") {
            if is_safe_file(&name) {
                let key = Key::decode(&format!("packages/p/{}", encoded(&name))).unwrap();
                prop_assert_eq!(key.file_name(), name);
            }
        }
    }
}
