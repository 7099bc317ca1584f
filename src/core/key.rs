//! Keys: canonical paths below a repository, and the names made of them. Only this file formats names for stores.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::fault::{Fault, Kind};

/// Longest path of a key, and longest query, in bytes.
const MAX_KEY: usize = 1024;
/// Longest segment of a key in bytes.
const MAX_SEGMENT: usize = 255;

/// What may stand raw in a path segment (RFC 3986 §3.3 `pchar`); everything else is escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// A canonical path below a repository, without leading slash: decoded once, never `.` or `..`, never an empty
/// segment (but one slash may end it), no control byte, no backslash. An encoded slash stays in its segment as `%2F`,
/// an encoded question mark as `%3F`. Where a type's query names other bytes, `?` and the query follow the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// Decodes the path of a request target, strictly and once.
    ///
    /// Refuses bad UTF-8, and whatever would still look like an encoded dot, slash, backslash or NUL afterwards,
    /// so that no later decoder can read another path into it.
    pub fn decode(raw: &str) -> Result<Self, Fault> {
        let mut segments = Vec::new();
        for segment in raw.split('/') {
            let decoded = percent_decode_str(segment)
                .decode_utf8()
                .map_err(|_| bad("the path is not valid UTF-8"))?;
            if looks_encoded(&decoded) {
                return Err(bad("the path is encoded twice"));
            }
            segments.push(decoded.replace('/', "%2F").replace('?', "%3F"));
        }
        Self::new(segments.join("/"))
    }

    /// Takes text that is decoded already, such as a path that a format has built, or a stored key.
    pub fn new(text: impl Into<String>) -> Result<Self, Fault> {
        let text = text.into();
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text.as_str(), None),
        };
        if path.len() > MAX_KEY || query.is_some_and(|query| query.len() > MAX_KEY) {
            return Err(bad("the path or its query is longer than 1024 bytes"));
        }
        let body = path.strip_suffix('/').unwrap_or(path);
        if path == "/" || (!body.is_empty() && !body.split('/').all(safe_segment)) {
            return Err(bad("the path has an empty, dotted, overlong or unsafe segment"));
        }
        if !query.is_none_or(safe_query) {
            return Err(bad("the query is empty or has unsafe characters"));
        }
        Ok(Self(text))
    }

    /// The key of this path with a query, which is encoded already; an empty one adds nothing.
    pub fn with_query(&self, query: &str) -> Result<Self, Fault> {
        if query.is_empty() {
            return Ok(self.clone());
        }
        Self::new(format!("{}?{query}", self.path()))
    }

    /// The whole key as text: path, and query where there is one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(path, _)| path)
    }

    /// The query, encoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.0.split_once('?').map_or("", |(_, query)| query)
    }

    /// The path's segments; a trailing slash adds none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').filter(|segment| !segment.is_empty())
    }

    /// The path's last segment: the file's name.
    pub fn file_name(&self) -> &str {
        self.path()
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    /// The path, without the query, as it stands in a URL, `pchar`s raw.
    pub fn encode(&self) -> String {
        encode_path(self.path())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Escapes a decoded path for a URL; a `%2F` or `%3F` inside a segment stays as it is.
pub fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, SEGMENT)
        .to_string()
        .replace("%252F", "%2F")
        .replace("%253F", "%3F")
}

/// A slash that stayed encoded must not hide a dotted segment either.
fn safe_segment(segment: &str) -> bool {
    let dotted = |part: &str| matches!(part, "" | "." | "..");
    segment.len() <= MAX_SEGMENT
        && !segment.split("%2F").any(dotted)
        && !segment.chars().any(|c| c.is_control() || c == '\\')
}

/// Only what RFC 3986 §3.4 lets stand in a query, so that it reaches no log or header as anything else.
fn safe_query(query: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() && !br##""#<>[\]^`{|}"##.contains(&b);
    !query.is_empty() && query.bytes().all(allowed)
}

/// Whether decoded text still holds an escape of `.`, `/`, `?`, `\` or NUL.
fn looks_encoded(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["%2e", "%2f", "%3f", "%5c", "%00"]
        .iter()
        .any(|escape| lower.contains(escape))
}

fn bad(what: &'static str) -> Fault {
    Fault::client(Kind::BadRequest, what)
}

/// The name of an object in the blob store. That of bytes is unique to its generation, so that a late delete never hits a
/// newer one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectName(String);

impl ObjectName {
    /// Where objects whose digest was known before they were stored lie.
    pub const BLOBS: &'static str = "blobs/";
    /// Where objects lie that were written while their digest was still being computed.
    pub const UPLOADS: &'static str = "uploads/";
    /// The name of the object [`installation`](Self::installation).
    pub const INSTALLATION: &'static str = "installation";

    /// The object of a digest; `generation` is unique to this writing.
    pub fn blob(digest: &Digest, generation: uuid::Uuid) -> Self {
        Self(format!(
            "{}{}/{}/{}",
            Self::BLOBS,
            digest.alg().as_str(),
            digest.hex(),
            generation.simple()
        ))
    }

    /// The object of an upload whose digest is not known yet.
    pub fn upload(id: uuid::Uuid) -> Self {
        Self(format!("{}{}", Self::UPLOADS, id.simple()))
    }

    /// The object in which blobs carry the name of their installation. No entry has it, and no listing.
    pub fn installation() -> Self {
        Self(Self::INSTALLATION.to_owned())
    }

    /// A name read back from a store or a row.
    pub fn stored(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text; only ASCII letters, digits and slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_paths_decode_once() {
        for (raw, key) in [
            ("", ""),
            ("simple/", "simple/"),
            ("a/b%20c", "a/b c"),
            ("@babel%2fcore", "@babel%2Fcore"),
            ("%21azure/x", "!azure/x"),
            ("torch-2.0%2Bcu118.whl", "torch-2.0+cu118.whl"),
            ("torch-2.0+cu118.whl", "torch-2.0+cu118.whl"),
            ("what%3f/x", "what%3F/x"),
        ] {
            assert_eq!(Key::decode(raw).unwrap().as_str(), key, "{raw}");
        }
    }

    #[test]
    fn traversal_and_double_encoding_are_refused() {
        for raw in [
            "a/../b",
            "a/%2e%2e/b",
            "a/..%2fb",
            "a//b",
            "/a",
            "a/%00",
            "a%5cb",
            "a\\b",
            "%c0%ae%c0%ae/",
            "a/./b",
            "%ff",
            "@babel%252fcore",
            "@babel%2f..",
            "a%252e",
            "a%253f",
            "a/b%0d%0a",
            "/",
            "a//",
        ] {
            assert_eq!(Key::decode(raw).unwrap_err().kind, Kind::BadRequest, "{raw}");
        }
        assert!(Key::decode(&"a/".repeat(600)).is_err());
        assert!(Key::decode(&"a".repeat(256)).is_err());
    }

    #[test]
    fn encoding_gives_the_decoded_key_back() {
        for text in ["a b/c", "@s%2Fn", "x+y~z!.whl", "ü/é", "100%.txt", "what%3F"] {
            let key = Key::new(text).unwrap();
            assert_eq!(Key::decode(&key.encode()).unwrap(), key, "{}", key.encode());
        }
    }

    #[test]
    fn a_query_is_part_of_the_key_and_apart_from_the_path() {
        let path = Key::decode("dir/a%20b").unwrap();
        let key = path.with_query("u=http://h//x&b=%2F..").unwrap();
        assert_eq!(key.as_str(), "dir/a b?u=http://h//x&b=%2F..");
        assert_eq!((key.path(), key.query()), ("dir/a b", "u=http://h//x&b=%2F.."));
        assert_eq!((key.file_name(), key.encode()), ("a b", "dir/a%20b".to_owned()));
        assert_eq!(key.segments().count(), 2);
        assert_eq!(path.with_query("").unwrap(), path);
        assert_ne!(
            Key::decode("a%3Fb").unwrap(),
            Key::new("a").unwrap().with_query("b").unwrap()
        );
        for query in ["a b", "a#b", "ü", "a\n", "a|b", &"q".repeat(1025)] {
            assert!(path.with_query(query).is_err(), "{query}");
        }
        assert!(Key::new("a?").is_err());
    }
}
