//! When a body is whole: the rule that keeps a cut connection from becoming a cached object.

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use reqwest::Version;
use reqwest::header::{HeaderMap, TRANSFER_ENCODING};

/// How the end of a body is marked (RFC 9112 §6.3, RFC 9113 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// By a mark in the stream: the last chunk, or the end of an HTTP/2 stream.
    Marked,
    /// By the end of the connection, which may as well be a cut.
    Close,
}

impl Framing {
    /// Reads the framing of a body; `exact` is its length as the HTTP library understood it.
    pub(crate) fn of(version: Version, fields: &HeaderMap, exact: Option<u64>) -> Self {
        if let Some(length) = exact {
            return Self::Length(length);
        }
        let codings = fields.get_all(TRANSFER_ENCODING);
        let last = codings.iter().next_back().and_then(|value| value.to_str().ok());
        let chunked = last
            .and_then(|line| line.rsplit(',').next())
            .is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
        if chunked || version >= Version::HTTP_2 {
            Self::Marked
        } else {
            Self::Close
        }
    }

    /// The length, where it is known.
    pub(crate) fn length(self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(length),
            Self::Marked | Self::Close => None,
        }
    }

    /// Whether an end can be told from a cut.
    pub(crate) fn proves(self) -> bool {
        !matches!(self, Self::Close)
    }
}

/// Counts a body against its framing.
#[derive(Debug)]
pub(crate) struct Tally {
    received: u64,
    framing: Framing,
}

impl Tally {
    /// Nothing received yet.
    pub(crate) fn new(framing: Framing) -> Self {
        Self { received: 0, framing }
    }

    /// Bytes received.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Counts a piece; more than was announced is `Broken`.
    pub(crate) fn add(&mut self, piece: usize) -> Result<(), Fault> {
        self.received = self.received.saturating_add(piece as u64);
        match self.framing.length() {
            Some(length) if self.received > length => Err(Fault::new(
                Kind::Broken,
                "upstream sent more bytes than it announced",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether an orderly end at this point is the body's.
    pub(crate) fn may_end(&self) -> bool {
        self.framing.length().is_none_or(|length| length == self.received)
    }

    /// Takes note of the whole length, learned while resuming.
    pub(crate) fn learn(&mut self, length: u64) {
        self.framing = Framing::Length(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(version: Version, coding: Option<&'static str>, exact: Option<u64>) -> Framing {
        let mut fields = HeaderMap::new();
        if let Some(coding) = coding {
            fields.insert(
                TRANSFER_ENCODING,
                reqwest::header::HeaderValue::from_static(coding),
            );
        }
        Framing::of(version, &fields, exact)
    }

    #[test]
    fn framing_follows_length_then_marks_then_the_connection() {
        assert_eq!(framing(Version::HTTP_11, None, Some(5)), Framing::Length(5));
        assert_eq!(framing(Version::HTTP_11, Some("chunked"), None), Framing::Marked);
        assert_eq!(
            framing(Version::HTTP_11, Some("gzip, Chunked"), None),
            Framing::Marked
        );
        assert_eq!(
            framing(Version::HTTP_11, Some("chunked, gzip"), None),
            Framing::Close
        );
        assert_eq!(framing(Version::HTTP_2, None, None), Framing::Marked);
        assert_eq!(framing(Version::HTTP_11, None, None), Framing::Close);
        assert_eq!(framing(Version::HTTP_10, None, None), Framing::Close);
        assert!(Framing::Marked.proves() && !Framing::Close.proves());
    }

    #[test]
    fn a_length_admits_one_end_only() {
        let mut tally = Tally::new(Framing::Length(5));
        tally.add(4).unwrap();
        assert!(!tally.may_end());
        tally.add(1).unwrap();
        assert!(tally.may_end());
        assert_eq!(tally.add(1).unwrap_err().kind, Kind::Broken);
    }

    #[test]
    fn a_length_learned_later_holds() {
        let mut tally = Tally::new(Framing::Marked);
        tally.add(3).unwrap();
        assert!(tally.may_end());
        tally.learn(4);
        assert!(!tally.may_end());
        tally.add(1).unwrap();
        assert!(tally.may_end());
    }
}
