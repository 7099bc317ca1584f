//! Repositories as rows.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::{Created, Repositories, Resealed};
use artifactapi_core::{RepoId, Repository};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::rows::Columns;
use super::secrets::{Anew, Resting};
use super::sqlite::{Sqlite, Transaction};
use super::{secrets, sql};
use crate::trouble::catalog;
use crate::vault::{CHECK_NAME, Vault};

/// How often a row is sealed anew that others change meanwhile.
const TRIES: usize = 8;

#[async_trait]
impl Repositories for Sqlite {
    async fn epoch(&self) -> Result<i64, Fault> {
        Ok(0)
    }

    async fn repositories(&self) -> Result<Vec<Repository>, Fault> {
        let rows = sqlx::query(sql::REPOSITORIES).fetch_all(&self.read).await;
        let read = |row| {
            let mut repository = repository(row)?;
            if let Some(vault) = &self.vault {
                secrets::open(vault, repository.id, &mut repository.role);
            }
            Ok(repository)
        };
        rows.map_err(catalog)?.iter().map(read).collect()
    }

    async fn create_repository(&self, repository: &Repository) -> Result<Created, Fault> {
        let done = sqlx::query(sql::CREATE_REPOSITORY)
            .bind(repository.id.to_string())
            .bind(&repository.name)
            .bind(&repository.package_type)
            .bind(self.role_text(repository)?)
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
            .bind(self.role_text(repository)?)
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

    async fn reseal(&self) -> Result<Resealed, Fault> {
        let vault = self.vault()?;
        let reread = vault.reread()?;
        let rows = sqlx::query(sql::REPOSITORIES).fetch_all(&self.read).await;
        let mut done = Resealed::default();
        for row in rows.map_err(catalog)? {
            let one = self.reseal_one(vault, resting(&row)?).await?;
            done.resealed += one.resealed;
            done.already += one.already;
            done.failed += one.failed;
        }
        if done.failed == 0 {
            let set = sqlx::query(sql::SET)
                .bind(CHECK_NAME)
                .bind(secrets::check_value(vault)?);
            set.execute(&self.write).await.map_err(catalog)?;
        }
        Ok(Resealed {
            key: vault.key(),
            reread,
            ..done
        })
    }
}

impl Sqlite {
    /// The keys; a catalog that is only read has none.
    fn vault(&self) -> Result<&Vault, Fault> {
        let none = || Fault::new(Kind::StoreUnavailable, "the catalog was opened for reading alone");
        self.vault.as_deref().ok_or_else(none)
    }

    /// A role as its row has it.
    fn role_text(&self, repository: &Repository) -> Result<String, Fault> {
        secrets::sealed(self.vault()?, repository.id, &repository.role)
    }

    /// Seals the secrets of a row anew, and again while others change the row meanwhile.
    async fn reseal_one(&self, vault: &Vault, mut row: Resting) -> Result<Resealed, Fault> {
        for _ in 0..TRIES {
            let Anew { text, done } = row.anew(vault)?;
            let Some(text) = text else {
                return Ok(done);
            };
            let written = sqlx::query(sql::RESEAL)
                .bind(text)
                .bind(row.id.to_string())
                .bind(row.revision)
                .bind(&row.text)
                .execute(&self.write)
                .await
                .map_err(catalog)?;
            if written.rows_affected() > 0 {
                return Ok(done);
            }
            let now = sqlx::query(sql::REPOSITORY).bind(row.id.to_string());
            match now.fetch_optional(&self.read).await.map_err(catalog)? {
                Some(now) => row = resting(&now)?,
                None => return Ok(Resealed::default()),
            }
        }
        let what = format!("{} changes too often for its secrets to be sealed anew", row.name);
        Err(Fault::new(Kind::Conflict, what))
    }

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

fn resting(row: &SqliteRow) -> Result<Resting, Fault> {
    let mut columns = Columns::of(row);
    let (id, name, _type) = (columns.repo()?, columns.next()?, columns.next::<&str>()?);
    Ok(Resting {
        id,
        name,
        text: columns.next()?,
        revision: columns.next()?,
    })
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
