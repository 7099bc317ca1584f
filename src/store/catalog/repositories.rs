//! Repositories as rows.

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::{Created, Repositories, Resealed};
use artifactapi_core::{RepoId, Repository};
use async_trait::async_trait;

use super::db::{End, Query, Row, Tx, transaction};
use super::rows::Columns;
use super::secrets::{Anew, Resting};
use super::tables::{Dialect, Tables};
use super::{secrets, sql};
use crate::vault::{CHECK_NAME, Vault};

/// How often a row is sealed anew that others change meanwhile.
const TRIES: usize = 8;

#[async_trait]
impl<D: Dialect> Repositories for Tables<D> {
    async fn epoch(&self) -> Result<i64, Fault> {
        self.db.one(Query::new(sql::EPOCH)).await?.get(0)
    }

    async fn repositories(&self) -> Result<Vec<Repository>, Fault> {
        let rows = self.db.all(Query::new(sql::REPOSITORIES)).await?;
        let read = |row| {
            let mut repository = repository(row)?;
            if let Some(vault) = &self.vault {
                secrets::open(vault, repository.id, &mut repository.role);
            }
            Ok(repository)
        };
        rows.iter().map(read).collect()
    }

    async fn create_repository(&self, repository: &Repository) -> Result<Created, Fault> {
        let role = self.role_text(repository)?;
        transaction!(self.db, |tx| create(&mut tx, repository, &role))
    }

    async fn replace_repository(
        &self,
        repository: &Repository,
        expected: i64,
        drop_entries: bool,
    ) -> Result<bool, Fault> {
        let role = self.role_text(repository)?;
        transaction!(self.db, |tx| async {
            let replace = Query::new(sql::REPLACE_REPOSITORY)
                .bind(&role)
                .bind(repository.revision)
                .bind(repository.updated_at.0)
                .bind(repository.id.to_string())
                .bind(expected);
            if tx.run(replace).await? == 0 {
                return Ok(End::Rollback(false));
            }
            if drop_entries {
                self.empty(&mut tx, repository.id).await?;
            }
            changed(&mut tx).await?;
            Ok(End::Commit(true))
        })
    }

    async fn delete_repository(&self, id: RepoId, expected: i64) -> Result<bool, Fault> {
        transaction!(self.db, |tx| async {
            if lock(&mut tx, id).await? != Some(expected) {
                return Ok(End::Rollback(false));
            }
            self.empty(&mut tx, id).await?;
            for statement in [sql::DELETE_LEDGER, sql::DELETE_REPOSITORY] {
                tx.run(of(statement, id).slow()).await?;
            }
            changed(&mut tx).await?;
            Ok(End::Commit(true))
        })
    }

    async fn reseal(&self) -> Result<Resealed, Fault> {
        let vault = self.vault()?;
        let reread = vault.reread()?;
        let mut done = Resealed::default();
        for row in self.db.all(Query::new(sql::REPOSITORIES)).await? {
            let one = self.reseal_one(vault, resting(&row)?).await?;
            done.resealed += one.resealed;
            done.already += one.already;
            done.failed += one.failed;
        }
        if done.failed == 0 {
            let value = secrets::check_value(vault)?;
            self.db
                .run(Query::new(sql::SET).bind(CHECK_NAME).bind(value))
                .await?;
        }
        Ok(Resealed {
            key: vault.key(),
            reread,
            ..done
        })
    }
}

impl<D: Dialect> Tables<D> {
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
            let reseal = Query::new(sql::RESEAL)
                .bind(text)
                .bind(row.id.to_string())
                .bind(row.revision)
                .bind(&row.text);
            if self.db.run(reseal).await? > 0 {
                return Ok(done);
            }
            match self.db.first(of(sql::REPOSITORY, row.id)).await? {
                Some(now) => row = resting(&now)?,
                None => return Ok(Resealed::default()),
            }
        }
        let what = format!("{} changes too often for its secrets to be sealed anew", row.name);
        Err(Fault::new(Kind::Conflict, what))
    }

    /// Drops everything a repository holds but its ledger: what was seen when stays true. Its row is locked.
    async fn empty(&self, tx: &mut Tx, id: RepoId) -> Result<(), Fault> {
        tx.lock(of(sql::LOCK_BLOBS_OF, id).slow()).await?;
        let release = Query::new(sql::BLOBS_RELEASED_BY)
            .bind(self.now().0)
            .bind(id.to_string());
        tx.run(release.slow()).await?;
        for statement in [sql::DELETE_ENTRIES, sql::DELETE_FACTS, sql::DELETE_PINS] {
            tx.run(of(statement, id).slow()).await?;
        }
        Ok(())
    }
}

async fn create(tx: &mut Tx, repository: &Repository, role: &str) -> Result<End<Created>, Fault> {
    let create = Query::new(sql::CREATE_REPOSITORY)
        .bind(repository.id.to_string())
        .bind(&repository.name)
        .bind(&repository.package_type)
        .bind(role)
        .bind(repository.revision)
        .bind(repository.created_at.0)
        .bind(repository.updated_at.0);
    if tx.run(create).await? == 0 {
        return Ok(End::Rollback(Created::NameTaken));
    }
    changed(tx).await?;
    Ok(End::Commit(Created::Done))
}

/// Keeps others from changing the entries of a repository until the transaction ends, and gives its revision; `None`
/// if it does not exist. Whoever changes entries does this first, then locks blobs; both in order of their names.
pub(super) async fn lock(tx: &mut Tx, id: RepoId) -> Result<Option<i64>, Fault> {
    let row = tx.first(of(sql::LOCK_REPOSITORY, id)).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Counts a change that others must take into their memory. Comes last, for it keeps everybody else from doing so.
pub(super) async fn changed(tx: &mut Tx) -> Result<(), Fault> {
    tx.run(Query::new(sql::NEXT_EPOCH)).await.map(drop)
}

/// A statement whose one parameter is a repository.
fn of(statement: &'static str, id: RepoId) -> Query<'static> {
    Query::new(statement).bind(id.to_string())
}

fn resting(row: &Row) -> Result<Resting, Fault> {
    let mut columns = Columns::of(row);
    let (id, name, _type) = (columns.repo()?, columns.next()?, columns.next::<&str>()?);
    Ok(Resting {
        id,
        name,
        text: columns.next()?,
        revision: columns.next()?,
    })
}

fn repository(row: &Row) -> Result<Repository, Fault> {
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
