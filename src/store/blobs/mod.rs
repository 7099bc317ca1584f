//! The port of blobs implemented.

pub mod fs;
