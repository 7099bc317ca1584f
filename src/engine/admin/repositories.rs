//! Repositories: create, read, list, replace, patch, delete.

use artifactapi_api::repository::{Document, Draft};
use artifactapi_core::conditional::{self, Precondition, Validators};
use artifactapi_core::event::EventKind;
use artifactapi_core::fault::{Fault, FieldError, Kind};
use artifactapi_core::headers::Headers;
use artifactapi_core::port::catalog::Created;
use artifactapi_core::repository::{RepoId, Repository, valid_name};
use artifactapi_formats as formats;
use serde_json::Value;
use uuid::Uuid;

use super::{Admin, Refused, Stored};

/// How often a change that met another one is tried again.
const TRIES: usize = 4;

/// A change to a repository that exists.
#[derive(Clone, Debug)]
pub enum Change {
    /// The whole, secrets apart (PUT).
    Replace {
        /// The document.
        body: Value,
        /// Whether what is cached stays although its upstream changes.
        keep_objects: bool,
    },
    /// A merge patch (PATCH).
    Patch {
        /// The patch.
        body: Value,
        /// Whether what is cached stays although its upstream changes.
        keep_objects: bool,
    },
}

/// The entity tag of a revision (RFC 9110 §8.8.3).
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

impl Admin {
    /// Creates a repository.
    pub async fn create<S: Stored>(&self, body: Value) -> Result<Document<S>, Refused> {
        let draft = Draft::<S>::read_new(body)?;
        check(&draft)?;
        let now = self.parts.clock.now();
        let repository = Repository {
            id: RepoId(Uuid::now_v7()),
            name: draft.name,
            package_type: draft.package_type,
            role: draft.settings.clone().into_role(),
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        if self.parts.catalog.create_repository(&repository).await? == Created::NameTaken {
            let what = format!("a repository named {} exists", repository.name);
            return Err(Fault::client(Kind::Conflict, what).into());
        }
        self.parts.changes.reload().await?;
        self.tell(self.event(EventKind::Config, &repository.name, "created"));
        Ok(Document::new(&repository, &draft.settings))
    }

    /// One repository.
    pub async fn get<S: Stored>(&self, name: &str) -> Result<Document<S>, Refused> {
        let repository = self.find::<S>(name).await?;
        Ok(document(&repository)?)
    }

    /// All repositories of a kind, by name.
    pub async fn list<S: Stored>(&self) -> Result<Vec<Document<S>>, Refused> {
        let all = self.parts.catalog.repositories().await?;
        Ok(all
            .iter()
            .filter_map(|repository| S::of(repository).map(|settings| Document::new(repository, settings)))
            .collect())
    }

    /// Changes a repository, if `headers` allow it (`If-Match`).
    pub async fn change<S: Stored>(
        &self,
        name: &str,
        headers: &Headers,
        change: &Change,
    ) -> Result<Document<S>, Refused> {
        for _ in 0..TRIES {
            let before = self.find::<S>(name).await?;
            guard(&before, headers)?;
            let (body, keep_objects) = match change {
                Change::Replace { body, keep_objects } | Change::Patch { body, keep_objects } => {
                    (body.clone(), *keep_objects)
                }
            };
            let draft = draft_of::<S>(&before)?;
            let after = match change {
                Change::Replace { .. } => draft.replaced_by(body)?,
                Change::Patch { .. } => draft.patched_with(body)?,
            };
            check(&after)?;
            if let Some(changed) = self
                .store(&before, &draft.settings, after.settings, keep_objects)
                .await?
            {
                return Ok(document(&changed)?);
            }
        }
        Err(Fault::client(Kind::Conflict, "others change this repository at the same time").into())
    }

    /// Deletes a repository with everything it holds, if `headers` allow it (`If-Match`).
    pub async fn delete<S: Stored>(&self, name: &str, headers: &Headers) -> Result<(), Refused> {
        for _ in 0..TRIES {
            let repository = self.find::<S>(name).await?;
            guard(&repository, headers)?;
            let catalog = &self.parts.catalog;
            if catalog
                .delete_repository(repository.id, repository.revision)
                .await?
            {
                self.parts.changes.reload().await?;
                self.parts.changes.emptied(repository.id);
                self.parts.handles.breakers.forget(repository.id);
                self.tell(self.event(EventKind::Config, name, "deleted"));
                return Ok(());
            }
        }
        Err(Fault::client(Kind::Conflict, "others change this repository at the same time").into())
    }

    /// Writes a change; `None` if another one came first.
    async fn store<S: Stored>(
        &self,
        before: &Repository,
        old: &S,
        new: S,
        keep_objects: bool,
    ) -> Result<Option<Repository>, Refused> {
        let moved = new.moved_from(old);
        let drop_entries = moved && !keep_objects;
        let after = Repository {
            role: new.into_role(),
            revision: before.revision + 1,
            updated_at: self.parts.clock.now(),
            ..before.clone()
        };
        let catalog = &self.parts.catalog;
        if !catalog
            .replace_repository(&after, before.revision, drop_entries)
            .await?
        {
            return Ok(None);
        }
        self.parts.changes.reload().await?;
        if drop_entries {
            self.parts.changes.emptied(after.id);
        }
        if moved {
            self.parts.handles.breakers.forget(after.id);
        }
        self.tell(self.event(EventKind::Config, &after.name, "changed"));
        Ok(Some(after))
    }
}

/// Checks what a document says, beyond its form.
fn check<S: Stored>(draft: &Draft<S>) -> Result<(), Refused> {
    let mut errors = Vec::new();
    if !valid_name(&draft.name) {
        let reason = "must begin with a letter or digit and have 1 to 63 of a-z, 0-9, '.', '_' and '-'";
        errors.push(FieldError::new("name", reason));
    }
    if let Some(format) = formats::named(&draft.package_type) {
        errors.extend(draft.settings.check(&format.describe()));
    } else {
        let known: Vec<_> = formats::ALL.iter().map(|format| format.describe().name).collect();
        let reason = format!("is none of {}", known.join(", "));
        errors.push(FieldError::new("package_type", reason));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.into())
    }
}

/// `If-Match` and its kin, against the revision (RFC 9110 §13.1).
fn guard(repository: &Repository, headers: &Headers) -> Result<(), Fault> {
    let tag = etag(repository.revision);
    let validators = Validators {
        etag: Some(&tag),
        last_modified: None,
    };
    match conditional::evaluate(headers, &validators, true) {
        Precondition::Proceed { .. } => Ok(()),
        Precondition::NotModified | Precondition::Failed => Err(Fault::client(
            Kind::PreconditionFailed,
            format!("the repository is at revision {}", repository.revision),
        )),
    }
}

fn draft_of<S: Stored>(repository: &Repository) -> Result<Draft<S>, Fault> {
    let settings = S::of(repository).cloned();
    Ok(Draft {
        name: repository.name.clone(),
        package_type: repository.package_type.clone(),
        settings: settings.ok_or_else(|| Fault::not_found(format!("no {} of this name", S::KIND)))?,
    })
}

fn document<S: Stored>(repository: &Repository) -> Result<Document<S>, Fault> {
    let draft = draft_of::<S>(repository)?;
    Ok(Document::new(repository, &draft.settings))
}
