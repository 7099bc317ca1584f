//! The access log, statistics made of it, and small settings.

use std::collections::BTreeMap;
use std::time::Duration;

use artifactapi_core::Time;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::{Journal, LogRow, StatRow, Touch};
use async_trait::async_trait;

use super::db::{End, Query, Tx, transaction};
use super::rows::{Columns, int};
use super::sql;
use super::tables::{Dialect, Tables};

/// The span of one row of statistics, in microseconds.
const HOUR: i64 = 3_600_000_000;
/// Log rows dropped in one transaction, so that nobody waits long for the next.
const PRUNED: i64 = 5_000;
/// How far clocks of replicas may be apart.
const AHEAD: Duration = Duration::from_hours(24);

#[async_trait]
impl<D: Dialect> Journal for Tables<D> {
    async fn record(&self, rows: &[LogRow], touches: &[Touch]) -> Result<(), Fault> {
        if rows.is_empty() && touches.is_empty() {
            return Ok(());
        }
        transaction!(self.db, |tx| record(&mut tx, rows, touches))
    }

    async fn statistics(&self, since: Time) -> Result<Vec<StatRow>, Fault> {
        let query = Query::new(sql::STATS).bind(hour(since).0).slow();
        let stat = |row| {
            let mut columns = Columns::of(row);
            Ok(StatRow {
                from: columns.time()?,
                repo: columns.next()?,
                requests: columns.count()?,
                hits: columns.count()?,
                bytes: columns.count()?,
                bytes_saved: columns.count()?,
            })
        };
        self.db.all(query).await?.iter().map(stat).collect()
    }

    async fn prune_log(&self, before: Time) -> Result<u64, Fault> {
        let ahead = self.clock.now().plus(AHEAD);
        let mut pruned = 0;
        loop {
            let query = Query::new(sql::PRUNE_LOG).bind(before.0).bind(ahead.0);
            let query = query.bind(PRUNED).slow();
            match self.db.run(query).await? {
                0 => return Ok(pruned),
                some => pruned += some,
            }
        }
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, Fault> {
        let row = self.db.first(Query::new(sql::SETTING).bind(name)).await?;
        row.map(|row| Columns::of(&row).next()).transpose()
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String, Fault> {
        transaction!(self.db, |tx| settle(&mut tx, name, value))
    }
}

async fn settle(tx: &mut Tx, name: &str, value: &str) -> Result<End<String>, Fault> {
    tx.run(Query::new(sql::SETTLE).bind(name).bind(value)).await?;
    // A statement of its own: it sees the value of whoever was first, for which the one before has waited.
    let row = tx.one(Query::new(sql::SETTING).bind(name)).await?;
    Columns::of(&row).next().map(End::Commit)
}

async fn record(tx: &mut Tx, rows: &[LogRow], touches: &[Touch]) -> Result<End<()>, Fault> {
    log(tx, rows).await?;
    count(tx, rows).await?;
    touch(tx, touches).await?;
    Ok(End::Commit(()))
}

/// Appends log rows.
async fn log(tx: &mut Tx, rows: &[LogRow]) -> Result<(), Fault> {
    for rows in rows.chunks(tx.rows()) {
        let mut query = Query::rows(sql::PUT_LOG, rows.len(), tx.rows());
        for row in rows {
            query = query
                .bind(row.at.0)
                .bind(row.repo.as_ref())
                .bind(row.method)
                .bind(row.path.as_ref())
                .bind(i64::from(row.status))
                .bind(row.outcome)
                .bind(row.hit)
                .bind(int(row.bytes))
                .bind(int(row.micros));
        }
        tx.run(query).await?;
    }
    Ok(())
}

/// Adds log rows to the statistics.
async fn count(tx: &mut Tx, rows: &[LogRow]) -> Result<(), Fault> {
    let mut sums: BTreeMap<(Time, &str), StatRow> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((hour(row.at), &row.repo)).or_default();
        sum.requests += 1;
        sum.bytes += row.bytes;
        if row.hit {
            sum.hits += 1;
            sum.bytes_saved += row.bytes;
        }
    }
    for ((hour, repo), sum) in sums {
        let query = Query::new(sql::ADD_STATS)
            .bind(hour.0)
            .bind(repo)
            .bind(int(sum.requests))
            .bind(int(sum.hits))
            .bind(int(sum.bytes))
            .bind(int(sum.bytes_saved));
        tx.run(query).await?;
    }
    Ok(())
}

/// Records uses; those of entries that have gone are lost.
async fn touch(tx: &mut Tx, touches: &[Touch]) -> Result<(), Fault> {
    let mut touches: Vec<_> = touches.iter().collect();
    // Two writers that take rows in the same order never wait for each other in a circle.
    touches.sort_unstable_by_key(|touch| &touch.id);
    for touch in touches {
        let query = Query::new(sql::TOUCH_ENTRY)
            .bind(int(touch.hits))
            .bind(touch.at.0)
            .bind(touch.id.repo.to_string())
            .bind(touch.id.key.as_str())
            .bind(&touch.id.variant);
        tx.run(query).await?;
    }
    Ok(())
}

/// The beginning of the hour.
fn hour(at: Time) -> Time {
    Time(at.0.div_euclid(HOUR) * HOUR)
}
