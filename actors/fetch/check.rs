//! What a body must be: as long as its head and its order say, of the right digests, and whole in its format's terms.

use artifactapi_core::digest::Digests;
use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::Verdict;
use artifactapi_core::{Digest, Fault};

/// What was known of a body before it came.
pub(super) struct Expected<'a> {
    pub(super) head: &'a Head,
    pub(super) size: Option<u64>,
    pub(super) digests: &'a [Digest],
}

/// What came.
pub(super) struct Found<'a> {
    pub(super) size: u64,
    pub(super) digests: &'a Digests,
    pub(super) verdict: Verdict,
}

impl Expected<'_> {
    /// How long the body will be; a fault where head and order disagree.
    pub(super) fn length(&self) -> Result<Option<u64>, Fault> {
        match (self.head.length, self.size) {
            (Some(said), Some(known)) if said != known => Err(wrong_size(known, said)),
            (said, known) => Ok(said.or(known)),
        }
    }

    /// Judges the whole body; says whether anything proved that nothing is missing.
    pub(super) fn judge(&self, found: &Found<'_>) -> Result<bool, Fault> {
        if let Some(length) = self.head.length {
            right_length(length, found.size)?;
        }
        if let Some(size) = self.size.filter(|size| *size != found.size) {
            return Err(wrong_size(size, found.size));
        }
        for digest in self.digests {
            right_digest(digest, found.digests)?;
        }
        if let Verdict::Broken(why) = found.verdict {
            return Err(Fault::new(
                Kind::Broken,
                format!("upstream's answer is not what was asked for: {why}"),
            ));
        }
        // A last chunk says as much as a length (RFC 9112 §8); only an end by close says nothing.
        let measured = self.size.is_some() || self.head.framed;
        Ok(measured || !self.digests.is_empty() || found.verdict == Verdict::Whole)
    }
}

/// The fault of a body that is longer than it may be.
pub(super) fn too_long(length: u64) -> Fault {
    Fault::new(
        Kind::Broken,
        format!("upstream sent more than the {length} bytes announced"),
    )
}

fn right_length(length: u64, found: u64) -> Result<(), Fault> {
    match found.cmp(&length) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(Fault::new(
            Kind::Cut,
            format!("upstream sent {found} of {length} bytes"),
        )),
        std::cmp::Ordering::Greater => Err(too_long(length)),
    }
}

fn wrong_size(known: u64, found: u64) -> Fault {
    Fault::new(
        Kind::Corrupt,
        format!("upstream has {found} bytes where the index says {known}"),
    )
}

fn right_digest(digest: &Digest, found: &Digests) -> Result<(), Fault> {
    match found.matches(digest) {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::new(
            Kind::Corrupt,
            format!("upstream's bytes do not have the digest {digest}"),
        )
        .because(format!("they have {found:?}"))),
        None => Err(Fault::ours(
            Kind::Internal,
            "a digest could not be checked",
            format!("{digest} was not computed"),
        )),
    }
}
