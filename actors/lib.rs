//! Actors: who does what, when, and only once.

pub mod flight;
