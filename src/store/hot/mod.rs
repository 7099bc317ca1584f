//! The port of hints implemented.

mod hearing;
pub mod memory;
pub mod redis;
