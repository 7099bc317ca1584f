//! The port of blobs implemented.

pub mod fs;
mod names;
pub mod s3;
