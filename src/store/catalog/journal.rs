//! The access log, statistics made of it, and small settings.

use std::collections::BTreeMap;

use artifactapi_core::Time;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::{Journal, LogRow, StatRow, Touch};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::rows::{Columns, int};
use super::sql;
use super::sqlite::{Sqlite, Transaction};
use crate::trouble::catalog;

/// The span of one row of statistics, in microseconds.
const HOUR: i64 = 3_600_000_000;
/// Log rows dropped in one transaction, so that nobody waits long for the next.
const PRUNED: i64 = 5_000;

#[async_trait]
impl Journal for Sqlite {
    async fn record(&self, rows: &[LogRow], touches: &[Touch]) -> Result<(), Fault> {
        if rows.is_empty() && touches.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        log(&mut tx, rows).await?;
        count(&mut tx, rows).await?;
        touch(&mut tx, touches).await?;
        tx.commit().await.map_err(catalog)
    }

    async fn statistics(&self, since: Time) -> Result<Vec<StatRow>, Fault> {
        let rows = sqlx::query(sql::STATS)
            .bind(hour(since).0)
            .fetch_all(&self.read)
            .await
            .map_err(catalog)?;
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
        rows.iter().map(stat).collect()
    }

    async fn prune_log(&self, before: Time) -> Result<u64, Fault> {
        let mut pruned = 0;
        loop {
            let done = sqlx::query(sql::PRUNE_LOG)
                .bind(before.0)
                .bind(PRUNED)
                .execute(&self.write)
                .await
                .map_err(catalog)?;
            match done.rows_affected() {
                0 => return Ok(pruned),
                some => pruned += some,
            }
        }
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, Fault> {
        let found = sqlx::query_scalar(sql::SETTING).bind(name);
        found.fetch_optional(&self.read).await.map_err(catalog)
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String, Fault> {
        let mut tx = self.begin().await?;
        sqlx::query(sql::SETTLE)
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
        let holds = sqlx::query_scalar(sql::SETTING).bind(name);
        let holds = holds.fetch_one(&mut *tx).await.map_err(catalog)?;
        tx.commit().await.map_err(catalog)?;
        Ok(holds)
    }
}

/// Appends log rows.
async fn log(tx: &mut Transaction, rows: &[LogRow]) -> Result<(), Fault> {
    for rows in rows.chunks(sql::ROWS) {
        let text = sql::for_rows(sql::PUT_LOG, rows.len());
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(rows.len() == sql::ROWS);
        for row in rows {
            query = query
                .bind(row.at.0)
                .bind(&row.repo)
                .bind(row.method)
                .bind(&row.path)
                .bind(i64::from(row.status))
                .bind(row.outcome)
                .bind(row.hit)
                .bind(int(row.bytes))
                .bind(int(row.micros));
        }
        query.execute(&mut **tx).await.map_err(catalog)?;
    }
    Ok(())
}

/// Adds log rows to the statistics.
async fn count(tx: &mut Transaction, rows: &[LogRow]) -> Result<(), Fault> {
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
        sqlx::query(sql::ADD_STATS)
            .bind(hour.0)
            .bind(repo)
            .bind(int(sum.requests))
            .bind(int(sum.hits))
            .bind(int(sum.bytes))
            .bind(int(sum.bytes_saved))
            .execute(&mut **tx)
            .await
            .map_err(catalog)?;
    }
    Ok(())
}

/// Records uses; those of entries that have gone are lost.
async fn touch(tx: &mut Transaction, touches: &[Touch]) -> Result<(), Fault> {
    let mut touches: Vec<_> = touches.iter().collect();
    // Two writers that take rows in the same order never wait for each other in a circle.
    touches.sort_unstable_by_key(|touch| &touch.id);
    for touch in touches {
        sqlx::query(sql::TOUCH_ENTRY)
            .bind(int(touch.hits))
            .bind(touch.at.0)
            .bind(touch.id.repo.to_string())
            .bind(touch.id.key.as_str())
            .bind(&touch.id.variant)
            .execute(&mut **tx)
            .await
            .map_err(catalog)?;
    }
    Ok(())
}

/// The beginning of the hour.
fn hour(at: Time) -> Time {
    Time(at.0.div_euclid(HOUR) * HOUR)
}
