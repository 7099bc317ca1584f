//! Secrets of repositories as rows have them: sealed where a row is written, opened where it is read, and sealed anew
//! when the keys change.

use artifactapi_core::Repository;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::{Journal, Repositories, Resealed};
use artifactapi_core::repository::{RepoId, Role, Secret};

use super::rows::to_json;
use crate::trouble::damaged;
use crate::vault::{CHECK, CHECK_NAME, Content, Place, Vault};

/// A role as the text of a row, every secret sealed.
pub(super) fn sealed(vault: &Vault, id: RepoId, role: &Role) -> Result<String, Fault> {
    let (owner, mut role, mut failed) = (id.to_string(), role.clone(), None);
    role.secrets_mut(&mut |field, secret| {
        let place = Place { owner: &owner, field };
        match seal(vault, &place, secret) {
            Ok(sealed) => *secret = sealed,
            Err(fault) => failed = Some(fault),
        }
    });
    failed.map_or_else(|| to_json(&role), Err)
}

fn seal(vault: &Vault, place: &Place<'_>, secret: &Secret) -> Result<Secret, Fault> {
    if secret.is_sealed() {
        let what = format!("the {} that no key opened cannot be written again", place.field);
        return Err(Fault::new(Kind::StoreUnavailable, what));
    }
    vault.seal(place, secret)
}

/// Opens the secrets of a role that was read. Those that no key opens stay as they are: see [`Role::sealed`].
pub(super) fn open(vault: &Vault, id: RepoId, role: &mut Role) {
    let owner = id.to_string();
    role.secrets_mut(&mut |field, secret| {
        if let Content::Opened { secret: opened, .. } = vault.open(&Place { owner: &owner, field }, secret) {
            *secret = opened;
        }
    });
}

/// A repository's row as it rests.
pub(super) struct Resting {
    pub(super) id: RepoId,
    pub(super) name: String,
    /// Its role, secrets sealed.
    pub(super) text: String,
    pub(super) revision: i64,
}

/// What a row would be with every secret sealed by the first key.
pub(super) struct Anew {
    /// Its text; `None` where it is so already, or stays as it is.
    pub(super) text: Option<String>,
    /// What that makes of its secrets.
    pub(super) done: Resealed,
}

impl Resting {
    /// This row with every secret sealed by the first key.
    pub(super) fn anew(&self, vault: &Vault) -> Result<Anew, Fault> {
        let read = |error| damaged("the catalog holds a repository that makes no sense", error);
        let mut role: Role = serde_json::from_str(&self.text).map_err(read)?;
        let (owner, mut done, mut failed) = (self.id.to_string(), Resealed::default(), None);
        role.secrets_mut(&mut |field, secret| {
            let place = Place { owner: &owner, field };
            let open = match vault.open(&place, secret) {
                Content::Opened { first: true, .. } => return done.already += 1,
                Content::Opened { secret, .. } => secret,
                Content::Plain => secret.clone(),
                Content::Shut { key, .. } => {
                    log::error!(repository = self.name.as_str(), key = key.as_str(); "no key opens its {field}");
                    return done.failed += 1;
                }
            };
            match vault.seal(&place, &open) {
                Ok(sealed) => {
                    *secret = sealed;
                    done.resealed += 1;
                }
                Err(fault) => failed = Some(fault),
            }
        });
        if let Some(fault) = failed {
            return Err(fault);
        }
        let text = (done.resealed > 0).then(|| to_json(&role)).transpose()?;
        Ok(Anew { text, done })
    }
}

/// Makes sure that the keys are those of this catalog: one of them opens its check value. A new catalog gets one.
pub(super) async fn check(
    catalog: &(impl Journal + Repositories + Sync),
    vault: &Vault,
) -> Result<(), Fault> {
    let Some(value) = catalog.setting(CHECK_NAME).await? else {
        let holds = catalog.settle(CHECK_NAME, &check_value(vault)?).await?;
        // Another process may have been first.
        return vault.check(&holds);
    };
    let Err(fault) = vault.check(&value) else {
        return Ok(());
    };
    let sealed = |repository: &Repository| repository.role.sealed().is_some();
    if !vault.is_new() || catalog.repositories().await?.iter().any(sealed) {
        return Err(fault);
    }
    log::warn!(
        "the file with the key of the catalog's secrets is gone; there are none, so another one is made"
    );
    catalog.reseal().await.map(drop)
}

/// The check value for the first key.
pub(super) fn check_value(vault: &Vault) -> Result<String, Fault> {
    vault
        .seal(&CHECK, &Secret(CHECK_NAME.to_owned()))
        .map(|secret| secret.0)
}

#[cfg(test)]
mod tests;
