//! Which names are an object's. Stores hold no others, and pass over what lies beside them under other names.

use artifactapi_core::key::ObjectName;

/// Digits of an upload's id that all of them have.
const LEAST_OF_UPLOAD: usize = 6;
/// Digits of a digest that all of them have.
const LEAST_OF_DIGEST: usize = 2;

/// The parts of an object's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parts<'a> {
    /// `blobs/<alg>/<hex>/<generation>`
    Blob {
        alg: &'a str,
        hex: &'a str,
        generation: &'a str,
    },
    /// `uploads/<id>`
    Upload { id: &'a str },
    /// `installation`
    Installation,
}

/// Takes a name apart; `None` if no object can have it.
pub(super) fn parts(name: &str) -> Option<Parts<'_>> {
    if let Some(rest) = name.strip_prefix(ObjectName::BLOBS) {
        let (alg, rest) = rest.split_once('/')?;
        let (hex, generation) = rest.split_once('/')?;
        let fits = [alg, hex, generation].into_iter().all(plain) && hex.len() >= LEAST_OF_DIGEST;
        return fits.then_some(Parts::Blob { alg, hex, generation });
    }
    if name == ObjectName::INSTALLATION {
        return Some(Parts::Installation);
    }
    let id = name.strip_prefix(ObjectName::UPLOADS)?;
    (plain(id) && id.len() >= LEAST_OF_UPLOAD).then_some(Parts::Upload { id })
}

fn plain(part: &str) -> bool {
    !part.is_empty() && part.len() <= 128 && part.bytes().all(|b| b.is_ascii_alphanumeric())
}
