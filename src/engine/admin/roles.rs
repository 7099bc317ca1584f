//! What is special to remotes and to locals when they are administered.

use artifactapi_api::repository::Settings;
use artifactapi_core::fault::FieldError;
use artifactapi_core::policy;
use artifactapi_core::repository::{LocalSettings, RemoteSettings, Repository, Role};
use artifactapi_formats::Describe;

/// Settings that a repository of the catalog may have.
pub trait Stored: Settings {
    /// Those of a repository, if it is of this kind.
    fn of(repository: &Repository) -> Option<&Self>;

    /// The role with these settings.
    fn into_role(self) -> Role;

    /// What cannot be, field by field.
    fn check(&self, format: &Describe) -> Vec<FieldError>;

    /// Whether what was stored under the settings before means nothing under these.
    fn moved_from(&self, before: &Self) -> bool;
}

impl Stored for RemoteSettings {
    fn of(repository: &Repository) -> Option<&Self> {
        repository.remote()
    }

    fn into_role(self) -> Role {
        Role::Remote(Box::new(self))
    }

    fn check(&self, _format: &Describe) -> Vec<FieldError> {
        policy::validate(self)
    }

    fn moved_from(&self, before: &Self) -> bool {
        self.base_url != before.base_url || self.index_url != before.index_url
    }
}

impl Stored for LocalSettings {
    fn of(repository: &Repository) -> Option<&Self> {
        repository.local()
    }

    fn into_role(self) -> Role {
        Role::Local(self)
    }

    fn check(&self, format: &Describe) -> Vec<FieldError> {
        if format.hosts {
            return Vec::new();
        }
        let reason = format!("{} cannot be hosted yet", format.name);
        vec![FieldError::new("package_type", reason)]
    }

    fn moved_from(&self, _before: &Self) -> bool {
        false
    }
}
