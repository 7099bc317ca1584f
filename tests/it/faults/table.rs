//! How requests went around a fault, as a line of a table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::Fault;
use super::load::{Sample, Verdict};

/// The head of the table; times in milliseconds.
pub(super) const HEAD: &str = "faults: fault                  | calm: requests    p99 | fault: requests  right  wrong    p99   slowest | recovery | refused";

/// What one fault did.
pub(super) struct Row {
    fault: Fault,
    calm: Part,
    during: Part,
    /// From the end of the fault to the end of the last refusal; `None` if refusals do not end.
    recovery: Option<Duration>,
}

impl Row {
    /// The line of a fault by the instants when calm, fault and recovery began.
    pub(super) fn of(
        samples: &[Sample],
        fault: Fault,
        [calm, injected, healed]: [Instant; 3],
        over: bool,
    ) -> Self {
        let part = |from: Instant, to: Instant| {
            Part::of(samples.iter().filter(|sample| (from..to).contains(&sample.start)))
        };
        let refusals = samples
            .iter()
            .filter(|sample| matches!(sample.verdict, Verdict::Refused(_)));
        let last = refusals.map(Sample::end).max();
        let recovery = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(healed));
        // Requests that are refused after the fault belong to it.
        let after = Instant::now();
        Self {
            fault,
            calm: part(calm, injected),
            during: part(injected, if recovery.is_zero() { healed } else { after }),
            recovery: over.then_some(recovery),
        }
    }

    /// Whether all went well again.
    pub(super) fn recovered(&self) -> bool {
        self.recovery.is_some()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calm, during) = (&self.calm, &self.during);
        let recovery = self
            .recovery
            .map_or("never".into(), |time| time.as_millis().to_string());
        let refused: Vec<_> = during
            .refused
            .iter()
            .map(|(why, count)| format!("{why}: {count}"))
            .collect();
        write!(
            f,
            "faults: {:<22} | {:>14} {:>6} | {:>15} {:>6} {:>6} {:>6} {:>9} | {recovery:>8} | {}",
            format!("{:?}", self.fault),
            calm.requests,
            calm.p99.as_millis(),
            during.requests,
            during.right,
            during.wrong,
            during.p99.as_millis(),
            during.slowest.as_millis(),
            refused.join(", ")
        )
    }
}

/// The requests that began in a span of time.
struct Part {
    requests: usize,
    right: usize,
    wrong: usize,
    refused: BTreeMap<String, usize>,
    p99: Duration,
    slowest: Duration,
}

impl Part {
    fn of<'a>(samples: impl Iterator<Item = &'a Sample>) -> Self {
        let (mut times, mut refused) = (Vec::new(), BTreeMap::new());
        let (mut right, mut wrong) = (0, 0);
        for sample in samples {
            times.push(sample.took);
            match &sample.verdict {
                Verdict::Right => right += 1,
                Verdict::Wrong(_) => wrong += 1,
                Verdict::Refused(why) => *refused.entry(why.clone()).or_insert(0) += 1,
            }
        }
        times.sort_unstable();
        let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied();
        Self {
            requests: times.len(),
            right,
            wrong,
            refused,
            p99: at(99).unwrap_or_default(),
            slowest: at(100).unwrap_or_default(),
        }
    }
}
