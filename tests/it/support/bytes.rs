//! Deterministic bytes and choices: the same seed gives the same run.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// A small generator (xorshift64*); good enough to make bytes that do not repeat and choices that can be replayed.
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A generator whose seed is `IT_SEED` or the time, printed so that a failure can be run again.
    pub(crate) fn printed(what: &str) -> Self {
        let seed = std::env::var("IT_SEED").ok().and_then(|text| text.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = seed.unwrap_or_else(|| u64::from(now.expect("after 1970").subsec_nanos()));
        println!("{what}: run again with IT_SEED={seed}");
        Self::new(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// `size` bytes that belong to `seed`.
pub(crate) fn bytes_of(seed: u64, size: usize) -> Bytes {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&rng.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// The SHA-256 of some bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
