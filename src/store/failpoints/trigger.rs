//! What happens where a point is passed.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use artifactapi_core::fault::{Fault, Kind};
use rustix::process::{Signal, getpid, kill_process};

/// Names the point to die at.
const POINT: &str = "FAILPOINT";
/// Names the file without which it is not deadly yet.
const FROM: &str = "FAILPOINT_FROM";
/// Names the file that is told of every passing.
const LOG: &str = "FAILPOINT_LOG";

/// What the environment of this process says.
static PLAN: OnceLock<Plan> = OnceLock::new();

struct Plan {
    deadly: Option<Deadly>,
    from: Option<PathBuf>,
    log: Option<File>,
}

/// A point, and which passing of it ends the process.
#[derive(Debug, PartialEq, Eq)]
struct Deadly {
    point: &'static str,
    left: u64,
}

/// Passings of the deadly point so far.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Reads the environment; whether it asks for anything.
pub(super) fn is_set(points: &[&'static str]) -> Result<bool, Fault> {
    let deadly = variable(POINT).map(|text| Deadly::read(&text, points));
    let log = variable(LOG).map(|file| File::options().append(true).create(true).open(file));
    let plan = Plan {
        deadly: deadly.transpose()?,
        from: variable(FROM).map(PathBuf::from),
        log: log.transpose().map_err(|error| unusable(LOG, error))?,
    };
    let is_set = plan.deadly.is_some() || plan.log.is_some();
    // A second opening in the same process reads the same environment.
    PLAN.set(plan).ok();
    Ok(is_set)
}

#[expect(
    clippy::disallowed_methods,
    reason = "no setting: it exists in programs built for tests alone"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Deadly {
    /// Reads `<point>` or `<point>:<n>`.
    fn read(text: &str, points: &[&'static str]) -> Result<Self, Fault> {
        let (name, left) = text.split_once(':').unwrap_or((text, "1"));
        let point = points.iter().find(|point| **point == name);
        let left = left.parse().ok().filter(|left| *left > 0);
        match (point, left) {
            (Some(point), Some(left)) => Ok(Self { point, left }),
            _ => Err(unusable(POINT, text)),
        }
    }
}

fn unusable(name: &str, what: impl std::fmt::Display) -> Fault {
    Fault::ours(
        Kind::Internal,
        "a variable for failpoints cannot be used",
        format!("{name}: {what}"),
    )
}

/// Passes a point. Does not return from a deadly one.
pub(super) fn pass(point: &'static str) {
    let Some(plan) = PLAN.get() else { return };
    if let Some(mut log) = plan.log.as_ref() {
        // One write of a whole line, so that lines of several threads stay whole.
        log.write_all(format!("{point}\n").as_bytes()).ok();
    }
    if let Some(deadly) = plan.deadly.as_ref().filter(|deadly| deadly.point == point)
        && plan.from.as_ref().is_none_or(|file| file.exists())
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == deadly.left
    {
        die();
    }
}

/// Ends the process as `kill -9` does.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).ok();
    // Nothing may be done any more, however long the signal takes to stop this thread.
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_with_and_without_a_number() {
        let points = ["a.b.before", "a.b.after"];
        let read = |text| Deadly::read(text, &points).ok();
        let deadly = |point, left| Some(Deadly { point, left });
        assert_eq!(read("a.b.after"), deadly("a.b.after", 1));
        assert_eq!(read("a.b.before:3"), deadly("a.b.before", 3));
        for wrong in ["a.b", "a.b.before:0", "a.b.before:x", "other", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
