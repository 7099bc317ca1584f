//! Keys: how they are written down, what they are called, and their cipher.

use std::fmt;
use std::sync::Arc;

use artifactapi_core::Digest;
use artifactapi_core::fault::{Fault, Kind};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a key.
pub(super) const LENGTH: usize = 32;
/// Letters of a key's id.
pub(super) const ID: usize = 8;
/// What is hashed before a key, so that the id of a key says nothing about it elsewhere.
const DOMAIN: &[u8] = b"artifactapi secret key\0";
/// Reads base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One key. It keeps its bytes, since it may have to be written to a file.
pub(super) struct Key {
    id: String,
    bytes: [u8; LENGTH],
    cipher: LessSafeKey,
}

impl Key {
    /// A key of these bytes.
    pub(super) fn of(bytes: [u8; LENGTH]) -> Result<Self, Fault> {
        let digest = Digest::sha256(&[DOMAIN, &bytes].concat());
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(broken)?;
        Ok(Self {
            id: digest.hex().chars().take(ID).collect(),
            bytes,
            cipher: LessSafeKey::new(cipher),
        })
    }

    /// A new one.
    pub(super) fn random() -> Result<Self, Fault> {
        let mut bytes = [0; LENGTH];
        SystemRandom::new().fill(&mut bytes).map_err(broken)?;
        Self::of(bytes)
    }

    /// What it is called: 8 hexadecimal digits that do not tell the key.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The key as base64, for its file.
    pub(super) fn text(&self) -> String {
        BASE64.encode(self.bytes)
    }

    /// Nonce, ciphertext and tag.
    pub(super) fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(broken)?;
        let mut bytes = plain.to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        self.cipher
            .seal_in_place_append_tag(once, Aad::from(place), &mut bytes)
            .map_err(broken)?;
        Ok([&nonce[..], &bytes].concat())
    }

    /// What was sealed, if it was this key and this place.
    fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = rest.to_vec();
        let once = Nonce::assume_unique_for_key(*nonce);
        let plain = self.cipher.open_in_place(once, Aad::from(place), &mut bytes);
        plain.ok().map(|plain| plain.to_vec())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Why a secret stays shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// There is no key of this id.
    NoKey,
    /// There is, and it does not open it.
    Damaged,
}

/// Keys in order, never none.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    first: Arc<Key>,
    others: Vec<Arc<Key>>,
}

impl Keys {
    /// A single one.
    pub(super) fn of(key: Key) -> Self {
        Self {
            first: Arc::new(key),
            others: Vec::new(),
        }
    }

    /// Reads keys separated by blanks and line ends; `#` begins a comment. `place` is named in complaints.
    pub(super) fn parse(text: &str, place: &str) -> Result<Self, Fault> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        let words = lines.flat_map(str::split_whitespace).enumerate();
        let mut keys = words.map(|(number, word)| one(word, number + 1, place));
        let Some(first) = keys.next() else {
            return Err(refused(format!("{place} holds no key: {HOW}")));
        };
        let mut read = Self::of(first?);
        for key in keys {
            read.append(Arc::new(key?));
        }
        Ok(read)
    }

    /// The one that seals.
    pub(super) fn first(&self) -> &Arc<Key> {
        &self.first
    }

    /// These, and after them those of `known` that are not among them.
    pub(super) fn beside(mut self, known: &Self) -> Self {
        for key in std::iter::once(&known.first).chain(&known.others) {
            self.append(Arc::clone(key));
        }
        self
    }

    fn append(&mut self, key: Arc<Key>) {
        let mut known = std::iter::once(&self.first).chain(&self.others);
        if !known.any(|known| known.bytes == key.bytes) {
            self.others.push(key);
        }
    }

    /// What was sealed under this id for this place, and whether the first key did it.
    pub(super) fn open(&self, id: &str, place: &[u8], sealed: &[u8]) -> Result<(Vec<u8>, bool), Unopened> {
        let mut why = Unopened::NoKey;
        for key in std::iter::once(&self.first).chain(&self.others) {
            if key.id != id {
                continue;
            }
            why = Unopened::Damaged;
            if let Some(plain) = key.open(place, sealed) {
                return Ok((plain, Arc::ptr_eq(key, &self.first)));
            }
        }
        Err(why)
    }
}

/// How keys are made.
const HOW: &str = "`openssl rand -base64 32` makes one";

fn one(word: &str, number: usize, place: &str) -> Result<Key, Fault> {
    let standard: String = word
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let bytes = BASE64.decode(standard).ok();
    let bytes = bytes.and_then(|bytes| <[u8; LENGTH]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| {
        refused(format!(
            "key {number} of {place} is not the base64 of {LENGTH} bytes: {HOW}"
        ))
    })?;
    Key::of(bytes)
}

fn refused(what: String) -> Fault {
    Fault::new(Kind::StoreUnavailable, what)
}

/// The cipher or the system's randomness failed.
fn broken(error: ring::error::Unspecified) -> Fault {
    Fault::ours(Kind::Internal, "a secret cannot be sealed", error)
}
