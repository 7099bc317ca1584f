//! `[cache]`: sizes of caches in memory, and how long clients wait for upstream.

use super::section::{positive, section};
use crate::fault::FieldError;

section! {
    /// Sizes of caches in memory, and how long clients wait for upstream.
    Cache = "cache" {
        /// Seconds for which upstream's "no such thing" is repeated; 0 asks anew each time.
        negative_seconds: u64 = 30;
        /// Bytes of a running fetch that are kept in memory before it goes to a file.
        spool_memory_bytes: u64 = 1 << 20;
        /// Entries of the catalog kept in memory.
        entries: u64 = 20_000;
        /// Bytes of derived documents kept in memory.
        pages_bytes: u64 = 64 << 20;
        /// Bytes of large derived documents kept on the disk, too, over restarts; 0 keeps none.
        pages_disk_bytes: u64 = 1 << 30;
        /// Bytes of small answers kept ready in memory, to be given again to whoever asks the same; 0 keeps none.
        hits_bytes: u64 = 64 << 20;
        /// Seconds a client waits for a refresh while a copy is at hand.
        refresh_wait_seconds: u64 = 10;
        /// Seconds a client waits for an index of which there is no copy.
        index_wait_seconds: u64 = 60;
        /// Seconds the head of an answer is held back at most to learn whether its body is whole.
        held_head_seconds: u64 = 10;
    }
}

impl Cache {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        positive(&[
            ("refresh_wait_seconds", self.refresh_wait_seconds),
            ("index_wait_seconds", self.index_wait_seconds),
            ("held_head_seconds", self.held_head_seconds),
        ])
    }
}
