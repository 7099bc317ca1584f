//! Statistics, from the catalog's hourly counters; so they outlive restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use artifactapi_api::stats::{Counts, Point, RepositoryStats, Stats, StatsQuery};
use artifactapi_core::Time;
use artifactapi_core::port::catalog::StatRow;

use super::{Admin, Refused};

/// Hours of the series when nothing is said: a week.
const USUAL_HOURS: u32 = 168;
/// Most hours of the series: a year.
const MOST_HOURS: u32 = 8_760;

impl Admin {
    /// What was asked and answered, in all, per repository and per hour.
    pub async fn stats(&self, query: StatsQuery) -> Result<Stats, Refused> {
        let hours = query.hours.unwrap_or(USUAL_HOURS);
        if !(1..=MOST_HOURS).contains(&hours) {
            return Err(Refused::field("hours", format!("must be 1 to {MOST_HOURS}")));
        }
        // Rows that still wait in memory count too.
        self.parts.handles.log.flush().await;
        let rows = self.parts.catalog.statistics(Time(0)).await?;
        let mut per_repository = counts(&rows);
        for repository in self.parts.catalog.repositories().await? {
            let usage = self.parts.catalog.usage(repository.id).await?;
            let counts = per_repository.entry(repository.name).or_default();
            counts.objects = usage.objects;
            counts.stored_bytes = usage.bytes;
        }
        let since = self
            .parts
            .clock
            .now()
            .minus(Duration::from_hours(u64::from(hours)));
        Ok(Stats {
            totals: per_repository
                .values()
                .fold(Counts::default(), |sum, counts| add(sum, *counts)),
            remotes: per_repository
                .into_iter()
                .map(|(name, counts)| RepositoryStats { name, counts })
                .collect(),
            series: series(&rows, since),
        })
    }
}

fn counts(rows: &[StatRow]) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    // Requests that met no repository have no name; they count nowhere.
    for row in rows.iter().filter(|row| !row.repo.is_empty()) {
        let sum = counts.entry(row.repo.clone()).or_default();
        *sum = add(*sum, of_row(row));
    }
    counts
}

fn series(rows: &[StatRow], since: Time) -> Vec<Point> {
    let mut hours: BTreeMap<Time, Counts> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.from >= since && !row.repo.is_empty())
    {
        let sum = hours.entry(row.from).or_default();
        *sum = add(*sum, of_row(row));
    }
    hours
        .into_iter()
        .map(|(from, counts)| Point {
            time: from.rfc3339(),
            requests: counts.requests,
            hits: counts.hits,
            misses: counts.misses,
            bytes: counts.bytes,
            bytes_saved: counts.bytes_saved,
        })
        .collect()
}

fn of_row(row: &StatRow) -> Counts {
    Counts {
        requests: row.requests,
        hits: row.hits,
        misses: row.requests.saturating_sub(row.hits),
        bytes: row.bytes,
        bytes_saved: row.bytes_saved,
        ..Counts::default()
    }
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        requests: a.requests + b.requests,
        hits: a.hits + b.hits,
        misses: a.misses + b.misses,
        bytes: a.bytes + b.bytes,
        bytes_saved: a.bytes_saved + b.bytes_saved,
        objects: a.objects + b.objects,
        stored_bytes: a.stored_bytes + b.stored_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: i64, repo: &str, requests: u64, hits: u64) -> StatRow {
        StatRow {
            from: Time(from),
            repo: repo.to_owned(),
            requests,
            hits,
            bytes: 10 * requests,
            bytes_saved: 10 * hits,
        }
    }

    #[test]
    fn rows_add_up_per_repository_and_per_hour() {
        let rows = [
            row(0, "a", 3, 1),
            row(0, "b", 2, 2),
            row(5, "a", 4, 4),
            row(5, "", 9, 0),
        ];
        let counts = counts(&rows);
        assert_eq!(counts.len(), 2);
        assert_eq!(
            (counts["a"].requests, counts["a"].hits, counts["a"].misses),
            (7, 5, 2)
        );
        let series = series(&rows, Time(0));
        assert_eq!(series.len(), 2);
        assert_eq!((series[0].requests, series[0].bytes_saved), (5, 30));
        assert_eq!(super::series(&rows, Time(1)).len(), 1);
    }
}
