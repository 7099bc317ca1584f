//! Pages as HTML (PEP 503, 592, 629, 658, 714, 740, 792).

mod read;
mod tags;
mod write;

pub(super) use read::{page, root};
pub(super) use write::{write_page, write_root};

use std::borrow::Cow;

/// Hash functions that a fragment or an attribute may name, as clients know them; the one to show first.
const ALGORITHMS: [&str; 7] = ["sha256", "sha512", "sha384", "sha224", "blake2b", "sha1", "md5"];

/// Whether `name=value` is a hash that clients understand.
fn is_hash(name: &str, value: &str) -> bool {
    ALGORITHMS.contains(&name) && !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash to show where only one fits: the one that clients know best.
fn best<'h>(hashes: &'h [(Cow<'_, str>, Cow<'_, str>)]) -> Option<(&'h str, &'h str)> {
    ALGORITHMS.iter().find_map(|known| {
        let (name, value) = hashes
            .iter()
            .find(|(name, value)| name == known && is_hash(name, value))?;
        Some((&**name, &**value))
    })
}
