//! Content types by file name, for bytes whose sender named none.

/// Endings and what they mean, longer ones before those they end in. Lower case.
const BY_ENDING: &[(&str, &str)] = &[
    (".tar.gz", "application/gzip"),
    (".tar.bz2", "application/x-bzip2"),
    (".tar.xz", "application/x-xz"),
    (".tar.zst", "application/zstd"),
    (".7z", "application/x-7z-compressed"),
    (".apk", "application/vnd.android.package-archive"),
    (".asc", "application/pgp-signature"),
    (".bz2", "application/x-bzip2"),
    (".css", "text/css; charset=utf-8"),
    (".csv", "text/csv; charset=utf-8"),
    (".deb", "application/vnd.debian.binary-package"),
    (".egg", "application/zip"),
    (".exe", "application/vnd.microsoft.portable-executable"),
    (".gif", "image/gif"),
    (".gz", "application/gzip"),
    (".htm", "text/html; charset=utf-8"),
    (".html", "text/html; charset=utf-8"),
    (".jar", "application/java-archive"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".js", "text/javascript; charset=utf-8"),
    (".json", "application/json"),
    (".md", "text/markdown; charset=utf-8"),
    (".md5", "text/plain; charset=utf-8"),
    (".metadata", "text/plain; charset=utf-8"),
    (".msi", "application/x-msi"),
    (".pdf", "application/pdf"),
    (".pem", "application/x-pem-file"),
    (".png", "image/png"),
    (".provenance", "application/vnd.pypi.integrity.v1+json"),
    (".rpm", "application/x-rpm"),
    (".sh", "text/x-shellscript; charset=utf-8"),
    (".sha1", "text/plain; charset=utf-8"),
    (".sha256", "text/plain; charset=utf-8"),
    (".sha512", "text/plain; charset=utf-8"),
    (".sig", "application/pgp-signature"),
    (".svg", "image/svg+xml"),
    (".tar", "application/x-tar"),
    (".tgz", "application/gzip"),
    (".toml", "application/toml"),
    (".txt", "text/plain; charset=utf-8"),
    (".wasm", "application/wasm"),
    (".whl", "application/zip"),
    (".xml", "application/xml"),
    (".xz", "application/x-xz"),
    (".yaml", "application/yaml"),
    (".yml", "application/yaml"),
    (".zip", "application/zip"),
    (".zst", "application/zstd"),
];

/// The content type of bytes nobody knows better.
pub const UNKNOWN: &str = "application/octet-stream";

/// The content type that a file's name suggests; [`UNKNOWN`] if it suggests none.
pub fn by_name(name: &str) -> &'static str {
    BY_ENDING
        .iter()
        .find(|(ending, _)| ends_with(name, ending))
        .map_or(UNKNOWN, |(_, media)| media)
}

/// Whether a name ends so, in whatever case.
pub fn ends_with(name: &str, ending: &str) -> bool {
    let start = name.len().checked_sub(ending.len());
    start
        .and_then(|start| name.as_bytes().get(start..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(ending.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_ending_decides_in_any_case() {
        for (name, media) in [
            ("a-1.0.tar.gz", "application/gzip"),
            ("A.WHL", "application/zip"),
            ("a.whl.metadata", "text/plain; charset=utf-8"),
            ("a.json", "application/json"),
            ("json", UNKNOWN),
            ("", UNKNOWN),
            ("ü", UNKNOWN),
        ] {
            assert_eq!(by_name(name), media, "{name}");
        }
    }

    #[test]
    fn no_ending_is_hidden_by_a_shorter_one_before_it() {
        for (at, (ending, _)) in BY_ENDING.iter().enumerate() {
            let first = BY_ENDING.iter().position(|(other, _)| ending.ends_with(other));
            assert_eq!(first, Some(at), "{ending}");
        }
    }
}
