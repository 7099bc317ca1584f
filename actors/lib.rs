//! Actors: who does what, when, and only once.
//!
//! They own coordination, never bytes and never truth: bytes are in spools and sockets, truth is in catalog and blobs.
//! Whatever an actor knows can be lost, so each may panic and start again. Everything outside speaks to the façades of
//! [`handles`], never to an address; nothing here knows a package type.

mod access_log;
pub mod board;
mod breakers;
mod coordinator;
mod events;
mod failpoints;
mod fetch;
pub mod flight;
mod gc;
pub mod handles;
mod inbox;
mod keeper;
mod lease;
mod replicas;
pub mod root;
mod spawn;
#[cfg(test)]
mod testing;

pub use spawn::{panics, spawn_named};
