//! What indexes say about files, and the ledger of first sights.

use std::collections::BTreeMap;

use artifactapi_core::fault::Fault;
use artifactapi_core::plan::Fact;
use artifactapi_core::port::catalog::{Facts, LedgerRow};
use artifactapi_core::{Digest, Entry, Key, RepoId, Time};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::rows::{self, Columns, int};
use super::sql;
use super::sqlite::{Sqlite, Transaction};
use crate::trouble::catalog;

#[async_trait]
impl Facts for Sqlite {
    async fn fact(&self, repo: RepoId, owner: &Key, id: &str) -> Result<Option<Fact>, Fault> {
        let row = sqlx::query(sql::FACT)
            .bind(repo.to_string())
            .bind(owner.as_str())
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(catalog)?;
        row.as_ref().map(rows::fact).transpose()
    }

    async fn ledger(&self, repo: RepoId, package: &str, version: &str) -> Result<Option<LedgerRow>, Fault> {
        let row = sqlx::query(sql::LEDGER)
            .bind(repo.to_string())
            .bind(package)
            .bind(version)
            .fetch_optional(&self.read)
            .await
            .map_err(catalog)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut columns = Columns::of(&row);
        Ok(Some(LedgerRow {
            first_seen: columns.time()?,
            published: columns.next::<Option<i64>>()?.map(Time),
            source: columns.next()?,
        }))
    }
}

/// Replaces what the index `owner` says, and enters into the ledger what it names. Of two facts with one id the
/// first counts.
pub(super) async fn replace(tx: &mut Transaction, owner: &Entry, facts: Vec<Fact>) -> Result<(), Fault> {
    let repo = owner.id.repo.to_string();
    let key = owner.id.key.as_str();
    sqlx::query(sql::DELETE_FACTS_OF)
        .bind(&repo)
        .bind(key)
        .execute(&mut **tx)
        .await
        .map_err(catalog)?;
    for facts in facts.chunks(sql::ROWS) {
        let text = sql::for_rows(sql::PUT_FACTS, facts.len());
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(facts.len() == sql::ROWS);
        for fact in facts {
            let published = fact.published.as_ref();
            query = query
                .bind(&repo)
                .bind(key)
                .bind(&fact.id)
                .bind(&fact.url)
                .bind(joined(&fact.digests))
                .bind(fact.size.map(int))
                .bind(&fact.subject.package)
                .bind(&fact.subject.version)
                .bind(published.map(|(at, _)| at.0))
                .bind(published.map(|(_, source)| source));
        }
        query.execute(&mut **tx).await.map_err(catalog)?;
    }
    enter(tx, owner, &facts).await
}

/// Enters versions into the ledger: first seen when the index was fetched, or earlier.
async fn enter(tx: &mut Transaction, owner: &Entry, facts: &[Fact]) -> Result<(), Fault> {
    let repo = owner.id.repo.to_string();
    let versions: Vec<_> = versions(facts).into_iter().collect();
    for versions in versions.chunks(sql::ROWS) {
        let text = sql::for_rows(sql::PUT_LEDGER, versions.len());
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(versions.len() == sql::ROWS);
        for ((package, version), published) in versions {
            query = query
                .bind(&repo)
                .bind(*package)
                .bind(*version)
                .bind(owner.fetched_at.0)
                .bind(published.map(|(at, _)| at.0))
                .bind(published.map(|(_, source)| source));
        }
        query.execute(&mut **tx).await.map_err(catalog)?;
    }
    Ok(())
}

/// When a registry says that something was published, and where it says so.
type Published<'f> = Option<(Time, &'f str)>;

/// Each version that facts name, once; published when the first of its files was.
fn versions(facts: &[Fact]) -> BTreeMap<(&str, &str), Published<'_>> {
    let mut versions: BTreeMap<_, Published<'_>> = BTreeMap::new();
    for fact in facts {
        let (Some(package), Some(version)) = (&fact.subject.package, &fact.subject.version) else {
            continue;
        };
        let known = versions.entry((package.as_str(), version.as_str())).or_default();
        let told = fact.published.as_ref().map(|(at, source)| (*at, source.as_str()));
        *known = [*known, told].into_iter().flatten().min();
    }
    versions
}

fn joined(digests: &[Digest]) -> String {
    let digests: Vec<_> = digests.iter().map(Digest::to_string).collect();
    digests.join(" ")
}
