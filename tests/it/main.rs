//! The integration tests: the real program as a child process, between scripted upstreams and real sockets.
//!
//! Every test starts its own program on its own data folder, ends with `fsck` and looks for leftovers. Nothing here
//! asserts how fast the machine is: where an order of events matters, the upstream double waits at a gate.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests own their clients, tasks and clock; the rules are for the product"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "sizes and durations of tests are small"
)]

#[cfg(test)]
mod admin;
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod double;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod events;
#[cfg(test)]
mod eviction;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flights;
#[cfg(test)]
mod fsck;
#[cfg(test)]
mod local;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod pypi;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tie;
