//! Metrics in the text format of Prometheus (version 0.0.4): counters of requests, and gauges read when asked.

mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use artifactapi_core::port::catalog::LogRow;
use artifactapi_engine::Observer;
use artifactapi_engine::admin::{Gauges, RepositoryGauges};

use self::text::{Family, Text};

/// The content type.
pub(crate) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

const REQUESTS: Family = Family::counter("artifactapi_requests_total", "Finished requests.");
const BYTES: Family = Family::counter("artifactapi_response_bytes_total", "Body bytes sent.");
const HEAD_SECONDS: Family =
    Family::counter("artifactapi_head_seconds_total", "Time until heads were ready.");
const SERVER_ERRORS: Family =
    Family::counter("artifactapi_server_errors_total", "Requests answered with 5xx.");
const INFO: Family = Family::gauge("artifactapi_info", "The program.");
const FLIGHTS: Family = Family::gauge("artifactapi_flights", "Fetches from upstreams under way.");
const LOG_DROPPED: Family = Family::counter("artifactapi_log_dropped_total", "Rows the access log lost.");
const BREAKER: Family = Family::gauge("artifactapi_breaker_state", "0 closed, 1 half open, 2 open.");
const OBJECTS: Family = Family::gauge("artifactapi_stored_objects", "Objects a repository holds.");
const STORED: Family = Family::gauge("artifactapi_stored_bytes", "Bytes a repository holds.");
const RESTARTS: Family = Family::counter("artifactapi_worker_restarts_total", "Restarts after a panic.");
const QUEUE: Family = Family::gauge("artifactapi_worker_queue", "What waits for a worker.");
const MEMORY: Family = Family::gauge("process_resident_memory_bytes", "Memory that the process holds.");

/// Most series of one counter: names of repositories come from administrators, so this is never met in earnest.
const MOST_SERIES: usize = 20_000;

/// Counts finished requests, by repository and outcome.
#[derive(Default)]
pub struct Metrics {
    requests: RwLock<HashMap<Series, Arc<Counters>>>,
}

type Series = (Arc<str>, &'static str);

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    head_micros: AtomicU64,
    server_errors: AtomicU64,
}

impl Metrics {
    /// An observer for the engine, which tells of every finished request.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let metrics = Arc::clone(self);
        Arc::new(move |row| metrics.record(row))
    }

    /// Counts a finished request.
    pub fn record(&self, row: &LogRow) {
        let counters = self.counters((Arc::clone(&row.repo), row.outcome));
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.bytes.fetch_add(row.bytes, Ordering::Relaxed);
        counters.head_micros.fetch_add(row.micros, Ordering::Relaxed);
        counters
            .server_errors
            .fetch_add(u64::from(row.status >= 500), Ordering::Relaxed);
    }

    fn counters(&self, series: Series) -> Arc<Counters> {
        let known = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known.get(&series) {
            return Arc::clone(counters);
        }
        let full = known.len() >= MOST_SERIES;
        drop(known);
        let series = if full { (Arc::default(), series.1) } else { series };
        let mut known = self.requests.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(series).or_default())
    }

    /// Everything as text: the counters, and the gauges given.
    pub(crate) fn text(&self, gauges: &Gauges, resident_bytes: Option<u64>) -> String {
        let mut text = Text::default();
        self.counted(&mut text);
        measured(&mut text, gauges, resident_bytes);
        text.finish()
    }

    fn counted(&self, text: &mut Text) {
        let known = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = known.iter().collect();
        rows.sort_by_key(|(series, _)| *series);
        let mut counter = |family, value: fn(&Counters) -> f64| {
            let samples = rows.iter().map(|((repository, outcome), counters)| {
                let labels = [("repository", repository.as_ref()), ("outcome", *outcome)];
                (labels, value(counters))
            });
            text.family(family, samples);
        };
        counter(REQUESTS, |counters| number(&counters.requests));
        counter(BYTES, |counters| number(&counters.bytes));
        counter(HEAD_SECONDS, |counters| number(&counters.head_micros) / 1e6);
        counter(SERVER_ERRORS, |counters| number(&counters.server_errors));
    }
}

/// Counters are far below the integers that a double holds exactly.
fn number(counter: &AtomicU64) -> f64 {
    double(counter.load(Ordering::Relaxed))
}

/// The text format knows doubles only.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which nothing counted here reaches"
)]
fn double(value: u64) -> f64 {
    value as f64
}

fn measured(text: &mut Text, gauges: &Gauges, resident_bytes: Option<u64>) {
    text.family(INFO, [([("version", gauges.version)], 1.0)]);
    text.single(FLIGHTS, double(gauges.flights as u64));
    text.single(LOG_DROPPED, double(gauges.log_dropped));
    let repositories = || gauges.repositories.iter();
    let states = repositories().filter_map(|one| Some((labelled(one), f64::from(one.breaker?))));
    text.family(BREAKER, states);
    text.family(
        OBJECTS,
        repositories().map(|one| (labelled(one), double(one.usage.objects))),
    );
    text.family(
        STORED,
        repositories().map(|one| (labelled(one), double(one.usage.bytes))),
    );
    let workers = || {
        gauges
            .workers
            .iter()
            .map(|worker| ([("worker", worker.name.as_str())], worker))
    };
    text.family(
        RESTARTS,
        workers().map(|(labels, worker)| (labels, double(worker.restarts))),
    );
    text.family(
        QUEUE,
        workers().map(|(labels, worker)| (labels, double(worker.queue))),
    );
    if let Some(bytes) = resident_bytes {
        text.single(MEMORY, double(bytes));
    }
}

fn labelled(repository: &RepositoryGauges) -> [(&'static str, &str); 1] {
    [("repository", repository.name.as_str())]
}

/// The memory that the process holds, where the system says so.
pub(crate) async fn resident_memory() -> Option<u64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use artifactapi_core::Time;
    use artifactapi_core::port::catalog::Usage;

    use super::*;

    fn row(repo: &str, outcome: &'static str, status: u16) -> LogRow {
        LogRow {
            at: Time(0),
            repo: repo.into(),
            method: "GET",
            path: "x".into(),
            status,
            outcome,
            hit: false,
            bytes: 10,
            micros: 500_000,
        }
    }

    #[test]
    fn requests_are_counted_by_repository_and_outcome() {
        let metrics = Arc::new(Metrics::default());
        let observer = metrics.observer();
        for row in [
            row("a", "hit", 200),
            row("a", "hit", 200),
            row("b", "upstream_timeout", 504),
        ] {
            observer(&row);
        }
        let gauges = Gauges {
            version: "1.2",
            flights: 3,
            log_dropped: 0,
            repositories: vec![RepositoryGauges {
                name: "a".into(),
                breaker: Some(2),
                usage: Usage { objects: 4, bytes: 5 },
            }],
            workers: Vec::new(),
        };
        let text = metrics.text(&gauges, Some(4096));
        for line in [
            r#"artifactapi_requests_total{repository="a",outcome="hit"} 2"#,
            r#"artifactapi_response_bytes_total{repository="a",outcome="hit"} 20"#,
            r#"artifactapi_head_seconds_total{repository="a",outcome="hit"} 1"#,
            r#"artifactapi_server_errors_total{repository="b",outcome="upstream_timeout"} 1"#,
            "artifactapi_flights 3",
            r#"artifactapi_breaker_state{repository="a"} 2"#,
            r#"artifactapi_stored_bytes{repository="a"} 5"#,
            "process_resident_memory_bytes 4096",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn the_process_knows_its_memory() {
        assert!(resident_memory().await.unwrap() > 1 << 20);
    }
}
