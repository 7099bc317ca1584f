//! `[gc]`: when what nobody needs is removed.

use super::section::{positive, section};
use crate::fault::FieldError;

section! {
    /// When what nobody needs is removed.
    Gc = "gc" {
        /// Seconds that bytes without an entry are kept.
        grace: u64 = 3600;
        /// Seconds that objects without a row and half-written files are kept at least: longer than any write takes from
        /// its first byte to its commit.
        orphan_grace: u64 = 3600;
        /// Seconds between two collections; 0 collects on request only.
        interval: u64 = 600;
        /// Days for which the access log is kept.
        log_retention_days: u64 = 30;
    }
}

impl Gc {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        positive(&[("log_retention_days", self.log_retention_days)])
    }
}
