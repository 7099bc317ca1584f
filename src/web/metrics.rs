//! Metrics in the text format of Prometheus (version 0.0.4): counters of requests, and gauges read when asked.

mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use artifactapi_core::port::catalog::LogRow;
use artifactapi_engine::Observer;
use artifactapi_engine::admin::Gauges;

use self::text::Text;

/// The content type.
pub(crate) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most series of one counter: names of repositories come from administrators, so this is never met in earnest.
const MOST_SERIES: usize = 20_000;

/// Counts finished requests, by repository and outcome.
#[derive(Default)]
pub struct Metrics {
    requests: RwLock<HashMap<Series, Arc<Counters>>>,
}

type Series = (String, &'static str);

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
        let counters = self.counters((row.repo.clone(), row.outcome));
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
        let series = if full { (String::new(), series.1) } else { series };
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
        type Value = fn(&Counters) -> f64;
        let counts: [(&str, &str, Value); 4] = [
            ("artifactapi_requests_total", "Finished requests.", |c| {
                number(&c.requests)
            }),
            ("artifactapi_response_bytes_total", "Body bytes sent.", |c| {
                number(&c.bytes)
            }),
            (
                "artifactapi_head_seconds_total",
                "Time until heads were ready.",
                |c| number(&c.head_micros) / 1e6,
            ),
            (
                "artifactapi_server_errors_total",
                "Requests answered with 5xx.",
                |c| number(&c.server_errors),
            ),
        ];
        for (name, help, value) in counts {
            text.family(name, "counter", help);
            for ((repository, outcome), counters) in &rows {
                text.sample(
                    name,
                    &[("repository", repository), ("outcome", outcome)],
                    value(counters),
                );
            }
        }
    }
}

/// Counters are far below the integers that a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "the text format knows doubles only")]
fn number(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}

#[expect(clippy::cast_precision_loss, reason = "the text format knows doubles only")]
fn measured(text: &mut Text, gauges: &Gauges, resident_bytes: Option<u64>) {
    text.single(
        "artifactapi_info",
        "gauge",
        "The program.",
        &[("version", gauges.version)],
        1.0,
    );
    text.single(
        "artifactapi_flights",
        "gauge",
        "Fetches from upstreams under way.",
        &[],
        gauges.flights as f64,
    );
    text.single(
        "artifactapi_log_dropped_total",
        "counter",
        "Rows the access log lost.",
        &[],
        gauges.log_dropped as f64,
    );
    let breakers = gauges.repositories.iter().filter_map(|r| Some((r, r.breaker?)));
    text.family(
        "artifactapi_breaker_state",
        "gauge",
        "0 closed, 1 half open, 2 open.",
    );
    for (repository, breaker) in breakers {
        text.sample(
            "artifactapi_breaker_state",
            &[("repository", &repository.name)],
            f64::from(breaker),
        );
    }
    text.family(
        "artifactapi_stored_objects",
        "gauge",
        "Objects a repository holds.",
    );
    for repository in &gauges.repositories {
        let labels = [("repository", repository.name.as_str())];
        text.sample(
            "artifactapi_stored_objects",
            &labels,
            repository.usage.objects as f64,
        );
    }
    text.family("artifactapi_stored_bytes", "gauge", "Bytes a repository holds.");
    for repository in &gauges.repositories {
        let labels = [("repository", repository.name.as_str())];
        text.sample("artifactapi_stored_bytes", &labels, repository.usage.bytes as f64);
    }
    text.family(
        "artifactapi_worker_restarts_total",
        "counter",
        "Restarts of workers after a panic.",
    );
    for worker in &gauges.workers {
        text.sample(
            "artifactapi_worker_restarts_total",
            &[("worker", &worker.name)],
            worker.restarts as f64,
        );
    }
    text.family("artifactapi_worker_queue", "gauge", "What waits for a worker.");
    for worker in &gauges.workers {
        text.sample(
            "artifactapi_worker_queue",
            &[("worker", &worker.name)],
            worker.queue as f64,
        );
    }
    if let Some(bytes) = resident_bytes {
        let help = "Memory that the process holds.";
        text.single("process_resident_memory_bytes", "gauge", help, &[], bytes as f64);
    }
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
    use artifactapi_engine::admin::RepositoryGauges;

    use super::*;

    fn row(repo: &str, outcome: &'static str, status: u16) -> LogRow {
        LogRow {
            at: Time(0),
            repo: repo.to_owned(),
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
