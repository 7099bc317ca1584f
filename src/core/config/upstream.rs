//! `[upstream]`: how long to wait for registries, and how much to ask of them at once.

use super::section::{positive, section};
use crate::fault::FieldError;

section! {
    /// How long to wait for registries, and how much to ask of them at once.
    Upstream = "upstream" {
        /// Seconds to connect, TLS included.
        connect_seconds: u64 = 5;
        /// Seconds from a request to the head of its answer, redirects included.
        head_seconds: u64 = 30;
        /// Seconds without a byte of a body.
        idle_seconds: u64 = 30;
        /// Requests at once to one host.
        per_host: usize = 64;
        /// Requests at once in all.
        in_all: usize = 512;
        /// Requests that may wait for their turn.
        queue: usize = 1024;
        /// Seconds a request may wait for its turn.
        queue_wait_seconds: u64 = 30;
        /// Further tries where no connection comes about.
        retries: u32 = 2;
        /// Resumptions of one transfer that breaks off.
        resumes: u32 = 3;
    }
}

impl Upstream {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = positive(&[
            ("connect_seconds", self.connect_seconds),
            ("head_seconds", self.head_seconds),
            ("idle_seconds", self.idle_seconds),
            ("per_host", self.per_host as u64),
            ("in_all", self.in_all as u64),
        ]);
        for (key, tries) in [("retries", self.retries), ("resumes", self.resumes)] {
            if tries > 20 {
                errors.push(FieldError::new(key, "must be at most 20"));
            }
        }
        errors
    }
}
