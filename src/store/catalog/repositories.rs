//! Repositories as rows.

use artifactapi_core::fault::Fault;
use artifactapi_core::port::catalog::{Created, Repositories};
use artifactapi_core::{RepoId, Repository};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::rows::{Columns, to_json};
use super::sql;
use super::sqlite::{Sqlite, Transaction};
use crate::trouble::catalog;

#[async_trait]
impl Repositories for Sqlite {
    async fn epoch(&self) -> Result<i64, Fault> {
        Ok(0)
    }

    async fn repositories(&self) -> Result<Vec<Repository>, Fault> {
        let rows = sqlx::query(sql::REPOSITORIES).fetch_all(&self.read).await;
        rows.map_err(catalog)?.iter().map(repository).collect()
    }

    async fn create_repository(&self, repository: &Repository) -> Result<Created, Fault> {
        let done = sqlx::query(sql::CREATE_REPOSITORY)
            .bind(repository.id.to_string())
            .bind(&repository.name)
            .bind(&repository.package_type)
            .bind(to_json(&repository.role)?)
            .bind(repository.revision)
            .bind(repository.created_at.0)
            .bind(repository.updated_at.0)
            .execute(&self.write)
            .await
            .map_err(catalog)?;
        Ok(match done.rows_affected() {
            0 => Created::NameTaken,
            _ => Created::Done,
        })
    }

    async fn replace_repository(
        &self,
        repository: &Repository,
        expected: i64,
        drop_entries: bool,
    ) -> Result<bool, Fault> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(sql::REPLACE_REPOSITORY)
            .bind(to_json(&repository.role)?)
            .bind(repository.revision)
            .bind(repository.updated_at.0)
            .bind(repository.id.to_string())
            .bind(expected)
            .execute(&mut *tx)
            .await
            .map_err(catalog)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if drop_entries {
            self.empty(&mut tx, repository.id).await?;
        }
        tx.commit().await.map_err(catalog)?;
        Ok(true)
    }

    async fn delete_repository(&self, id: RepoId, expected: i64) -> Result<bool, Fault> {
        let mut tx = self.begin().await?;
        if revision(&mut tx, id).await? != Some(expected) {
            return Ok(false);
        }
        self.empty(&mut tx, id).await?;
        for statement in [sql::DELETE_LEDGER, sql::DELETE_REPOSITORY] {
            run(&mut tx, statement, id).await?;
        }
        tx.commit().await.map_err(catalog)?;
        Ok(true)
    }
}

impl Sqlite {
    /// Drops everything a repository holds but its ledger: what was seen when stays true.
    async fn empty(&self, tx: &mut Transaction, id: RepoId) -> Result<(), Fault> {
        sqlx::query(sql::BLOBS_RELEASED_BY)
            .bind(self.now().0)
            .bind(id.to_string())
            .execute(&mut **tx)
            .await
            .map_err(catalog)?;
        for statement in [sql::DELETE_ENTRIES, sql::DELETE_FACTS, sql::DELETE_PINS] {
            run(tx, statement, id).await?;
        }
        Ok(())
    }
}

/// The revision of a repository; `None` if it does not exist.
pub(super) async fn revision(tx: &mut Transaction, id: RepoId) -> Result<Option<i64>, Fault> {
    sqlx::query_scalar(sql::REPOSITORY_REVISION)
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(catalog)
}

/// Runs a statement whose one parameter is a repository.
async fn run(tx: &mut Transaction, statement: &'static str, id: RepoId) -> Result<(), Fault> {
    let done = sqlx::query(statement)
        .bind(id.to_string())
        .execute(&mut **tx)
        .await;
    done.map(drop).map_err(catalog)
}

fn repository(row: &SqliteRow) -> Result<Repository, Fault> {
    let mut columns = Columns::of(row);
    Ok(Repository {
        id: columns.repo()?,
        name: columns.next()?,
        package_type: columns.next()?,
        role: columns.json()?,
        revision: columns.next()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}
