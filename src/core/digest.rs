//! Digests: names of bytes, and the hashers that compute several of them in one pass.

use std::fmt;
use std::str::FromStr;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

/// A hash function that some package type uses to vouch for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alg {
    /// SHA-256, the catalog's own.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1: accepted as a check, never as a name.
    Sha1,
    /// MD5: accepted as a check, never as a name.
    Md5,
}

impl Alg {
    /// Lower-case name, as written before the colon of a digest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
        }
    }

    /// The algorithm of this name, if it is one we compute.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512, Self::Sha1, Self::Md5]
            .into_iter()
            .find(|alg| alg.as_str().eq_ignore_ascii_case(name))
    }

    /// Length of the digest in hexadecimal digits.
    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
            Self::Sha1 => 40,
            Self::Md5 => 32,
        }
    }
}

/// What some bytes hash to; written `alg:hex`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    alg: Alg,
    hex: String,
}

impl Digest {
    /// A digest from its hexadecimal form of the right length; upper case is lowered.
    pub fn new(alg: Alg, hex: &str) -> Option<Self> {
        let well_formed = hex.len() == alg.digits() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        well_formed.then(|| Self {
            alg,
            hex: hex.to_ascii_lowercase(),
        })
    }

    /// The SHA-256 of bytes at hand.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self {
            alg: Alg::Sha256,
            hex: hex::encode(Sha256::digest(bytes)),
        }
    }

    /// Its algorithm.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// Its value in lower-case hexadecimal.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.alg.as_str(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was no digest of a known algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of the form alg:hex")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (alg, hex) = text.split_once(':').ok_or(NotADigest)?;
        Self::new(Alg::named(alg).ok_or(NotADigest)?, hex).ok_or(NotADigest)
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Computes SHA-256 and whatever else was asked for, in one pass.
#[derive(Clone, Default)]
pub struct Hasher {
    sha256: Sha256,
    sha512: Option<Sha512>,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

impl Hasher {
    /// A hasher for SHA-256 and each of `also`.
    pub fn new(also: impl IntoIterator<Item = Alg>) -> Self {
        let mut hasher = Self::default();
        for alg in also {
            match alg {
                Alg::Sha256 => {}
                Alg::Sha512 => hasher.sha512 = Some(Sha512::new()),
                Alg::Sha1 => hasher.sha1 = Some(Sha1::new()),
                Alg::Md5 => hasher.md5 = Some(Md5::new()),
            }
        }
        hasher
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(hash) = &mut self.sha512 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.sha1 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.md5 {
            hash.update(bytes);
        }
    }

    /// The digests of everything taken in, SHA-256 first.
    pub fn finish(self) -> Digests {
        let digest = |alg, bytes: &[u8]| Digest {
            alg,
            hex: hex::encode(bytes),
        };
        let mut others = Vec::new();
        if let Some(hash) = self.sha512 {
            others.push(digest(Alg::Sha512, &hash.finalize()));
        }
        if let Some(hash) = self.sha1 {
            others.push(digest(Alg::Sha1, &hash.finalize()));
        }
        if let Some(hash) = self.md5 {
            others.push(digest(Alg::Md5, &hash.finalize()));
        }
        Digests {
            sha256: digest(Alg::Sha256, &self.sha256.finalize()),
            others,
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

/// What a [`Hasher`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// The catalog's name for the bytes.
    pub sha256: Digest,
    /// The further algorithms that were asked for.
    pub others: Vec<Digest>,
}

impl Digests {
    /// Whether the bytes are what `expected` says; `None` if that algorithm was not computed.
    pub fn matches(&self, expected: &Digest) -> Option<bool> {
        std::iter::once(&self.sha256)
            .chain(&self.others)
            .find(|found| found.alg == expected.alg)
            .map(|found| found == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn known_vectors_come_out() {
        let mut hasher = Hasher::new([Alg::Sha512, Alg::Sha1, Alg::Md5]);
        hasher.update(b"hel");
        hasher.update(b"lo\n");
        let found = hasher.finish();
        let sha1 = "sha1:f572d396fae9206628714fb2ce00f72e94f2258f".parse().unwrap();
        assert_eq!(found.matches(&sha1), Some(true));
        let other_sha1 = "sha1:0000000000000000000000000000000000000000".parse().unwrap();
        assert_eq!(found.matches(&other_sha1), Some(false));
        assert_eq!(found.others.len(), 3);
        assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
    }

    #[test]
    fn only_well_formed_digests_are_read() {
        assert_eq!(EMPTY.parse::<Digest>().unwrap().to_string(), EMPTY);
        assert_eq!(
            EMPTY
                .to_uppercase()
                .replace("SHA256", "sha256")
                .parse::<Digest>()
                .unwrap()
                .to_string(),
            EMPTY
        );
        for bad in [
            "",
            "sha256:",
            "sha256:12",
            "md4:00",
            "sha256",
            "sha1:zz72d396fae9206628714fb2ce00f72e94f2258f",
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
        }
    }

    #[test]
    fn an_algorithm_that_was_not_computed_gives_no_verdict() {
        let found = Hasher::new([]).finish();
        let md5 = "md5:d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
        assert_eq!(found.matches(&md5), None);
    }
}
