//! The port of hints implemented.

pub mod memory;
