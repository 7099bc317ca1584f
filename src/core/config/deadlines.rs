//! `[deadlines]`: how long a client may take.

use super::section::{positive, section};
use crate::fault::FieldError;

section! {
    /// How long a client may take.
    Deadlines = "deadlines" {
        /// Seconds until the head of a request must be complete.
        request_head_seconds: u64 = 10;
        /// Seconds an idle connection is kept.
        keep_alive_seconds: u64 = 75;
        /// Seconds a client may neither send nor take a byte of a body.
        body_idle_seconds: u64 = 30;
        /// Bytes a second that a client must send or take on average.
        min_rate_bytes: u64 = 1024;
        /// Seconds over which that average is taken.
        min_rate_seconds: u64 = 60;
    }
}

impl Deadlines {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        positive(&[
            ("request_head_seconds", self.request_head_seconds),
            ("body_idle_seconds", self.body_idle_seconds),
            ("min_rate_seconds", self.min_rate_seconds),
        ])
    }
}
