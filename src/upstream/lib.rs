//! The only crate that talks to strangers.
//!
//! It offers [`Client`], the port `Upstream`: candidates in order, redirects followed by hand, credentials sent to
//! their origin alone, every address judged before it is connected to, permits per host and in all, and bodies that
//! are resumed when they break and end only where the end is proven.
//!
//! It refuses to judge statuses, to store anything, and to know package types: an answer is an answer.

mod address;
mod answer;
mod attempt;
mod auth;
mod body;
mod client;
mod clients;
mod complete;
mod decode;
mod egress;
mod fields;
mod permits;
mod redirects;
mod resolver;
mod resume;
mod settings;
mod tls;
mod trouble;
mod wire;

pub use client::Client;

#[cfg(test)]
mod tests;
