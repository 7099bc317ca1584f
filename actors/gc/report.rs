//! What a collection did.

use artifactapi_core::{Fault, Time};
use serde::{Serialize, Serializer};

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub started: Time,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How long unnamed blobs were kept, in seconds.
    pub grace_seconds: u64,
    /// Cached entries removed, because they were unused or beyond a cap.
    pub evicted: u64,
    /// Bytes of these entries.
    pub evicted_bytes: u64,
    /// Blobs deleted that no entry named. A dry run counts those within their grace too.
    pub deleted: u64,
    /// Objects deleted that no row named.
    pub orphans: u64,
    /// Bytes of deleted blobs and orphans.
    pub bytes: u64,
    /// Half-written files and leftover spools removed.
    pub leftovers: u64,
    /// Rows of the access log removed; a dry run does not count them.
    pub log_rows: u64,
    /// What went wrong, one sentence a step; the other steps were done all the same.
    pub errors: Vec<String>,
}

impl GcReport {
    /// Notes that a step failed.
    pub(super) fn failed(&mut self, step: &str, fault: &Fault) {
        log::warn!("collection, {step}: {fault:?}");
        self.errors.push(format!("{step}: {fault}"));
    }

    /// One word for what came of it.
    pub(super) fn outcome(&self) -> &'static str {
        match (self.errors.is_empty(), self.dry_run) {
            (false, _) => "failed",
            (true, true) => "dry_run",
            (true, false) => "done",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over so")]
fn rfc3339<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.rfc3339())
}
