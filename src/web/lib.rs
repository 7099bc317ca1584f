//! HTTP: the routes, the admin API, the stream of events, metrics, and the server itself.
//!
//! Handlers translate and return; what an answer is, engine and admin decide. Nothing here touches a store.

pub mod access;
mod admin;
mod endpoint;
pub mod metrics;
mod middleware;
mod problem;
mod proxy;
mod routes;
mod sendfile;
pub mod server;
mod sse;
mod state;
mod traffic;

pub use server::{Parts, Running, serve};
