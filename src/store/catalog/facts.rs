//! What indexes say about files, and the ledger of first sights.

use std::collections::BTreeMap;

use artifactapi_core::fault::Fault;
use artifactapi_core::plan::Fact;
use artifactapi_core::port::catalog::{Facts, LedgerRow};
use artifactapi_core::{Digest, Entry, Key, RepoId, Time};
use async_trait::async_trait;

use super::db::{Query, Tx};
use super::rows::{self, Columns, int};
use super::sql;
use super::tables::{Dialect, Tables};

/// Most bytes that name a fact, with its index, or a version, with its package. PostgreSQL indexes no longer names; a
/// name of a file has 255 bytes at most.
const LONGEST_NAME: usize = 2_400;

#[async_trait]
impl<D: Dialect> Facts for Tables<D> {
    async fn fact(&self, repo: RepoId, owner: &Key, id: &str) -> Result<Option<Fact>, Fault> {
        let query = Query::new(sql::FACT)
            .bind(repo.to_string())
            .bind(owner.as_str())
            .bind(id);
        self.db.first(query).await?.as_ref().map(rows::fact).transpose()
    }

    async fn ledger(&self, repo: RepoId, package: &str, version: &str) -> Result<Option<LedgerRow>, Fault> {
        let query = Query::new(sql::LEDGER)
            .bind(repo.to_string())
            .bind(package)
            .bind(version);
        let Some(row) = self.db.first(query).await? else {
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
/// first counts; what has too long a name is left out.
pub(super) async fn replace(tx: &mut Tx, owner: &Entry, facts: &[Fact]) -> Result<(), Fault> {
    let repo = owner.id.repo.to_string();
    let key = owner.id.key.as_str();
    let old = Query::new(sql::DELETE_FACTS_OF).bind(&repo).bind(key);
    tx.run(old.slow()).await?;
    let fits = |fact: &&Fact| key.len() + fact.id.len() <= LONGEST_NAME;
    let facts: Vec<_> = facts.iter().filter(fits).collect();
    for facts in facts.chunks(tx.rows()) {
        let mut query = Query::rows(sql::PUT_FACTS, facts.len(), tx.rows());
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
                .bind(published.map(|(_, source)| source.as_str()));
        }
        tx.run(query).await?;
    }
    enter(tx, owner, &facts).await
}

/// Enters versions into the ledger: first seen when the index was fetched, or earlier.
async fn enter(tx: &mut Tx, owner: &Entry, facts: &[&Fact]) -> Result<(), Fault> {
    let repo = owner.id.repo.to_string();
    let versions: Vec<_> = versions(facts).into_iter().collect();
    for versions in versions.chunks(tx.rows()) {
        let mut query = Query::rows(sql::PUT_LEDGER, versions.len(), tx.rows());
        for ((package, version), published) in versions {
            query = query
                .bind(&repo)
                .bind(*package)
                .bind(*version)
                .bind(owner.fetched_at.0)
                .bind(published.map(|(at, _)| at.0))
                .bind(published.map(|(_, source)| source));
        }
        tx.run(query).await?;
    }
    Ok(())
}

/// When a registry says that something was published, and where it says so.
type Published<'f> = Option<(Time, &'f str)>;

/// Each version that facts name, once; published when the first of its files was.
fn versions<'f>(facts: &[&'f Fact]) -> BTreeMap<(&'f str, &'f str), Published<'f>> {
    let mut versions: BTreeMap<_, Published<'_>> = BTreeMap::new();
    for fact in facts {
        let (Some(package), Some(version)) = (&fact.subject.package, &fact.subject.version) else {
            continue;
        };
        if package.len() + version.len() > LONGEST_NAME {
            continue;
        }
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
