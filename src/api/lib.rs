//! The data types of `/api/v2`, and a typed client for them.
//!
//! Documents are plain data with strict readers: unknown fields, wrong types and missing fields are all named, and
//! secrets go in but never come out. Nothing here decides anything or touches a store.

pub mod client;
pub mod document;
pub mod gc;
pub mod health;
pub mod objects;
pub mod patch;
pub mod probe;
pub mod problem;
pub mod repository;
pub mod secrets;
pub mod stats;

pub use problem::Problem;
pub use repository::{Draft, LocalDocument, RemoteDocument};
