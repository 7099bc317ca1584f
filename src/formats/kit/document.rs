//! Stored documents as bytes in memory, within a bound.

use std::io::{Read as _, SeekFrom};

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::ReadSeek;

/// Most bytes of an index that are read; indexes of real registries stay well below.
pub(crate) const MAX_INDEX: u64 = 128 << 20;

/// The whole document from its beginning, if it has at most `limit` bytes.
pub(crate) fn read(doc: &mut dyn ReadSeek, limit: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    doc.seek(SeekFrom::Start(0))
        .and_then(|_| doc.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|cause| Fault::ours(Kind::StoreUnavailable, "a stored document cannot be read", cause))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(broken("upstream's document is too large to be read"));
    }
    Ok(bytes)
}

/// Upstream sent a document that is not what it should be.
pub(crate) fn broken(what: &'static str) -> Fault {
    Fault::new(Kind::Broken, what)
}

/// A document's bytes after a byte order mark and white space.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(bytes)
        .trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn documents_are_read_whole_or_refused() {
        let mut doc = Cursor::new(b"12345".to_vec());
        doc.set_position(3);
        assert_eq!(read(&mut doc, 5).unwrap(), b"12345");
        assert_eq!(read(&mut doc, 4).unwrap_err().kind, Kind::Broken);
        assert_eq!(trimmed(b"\xef\xbb\xbf \n{}"), b"{}");
    }
}
