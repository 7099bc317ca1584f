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

    fn check(&self, format: &Describe) -> Vec<FieldError> {
        let mut errors = policy::validate(self);
        errors.extend(redirects(self.redirect_hits, format));
        errors
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
        let mut errors: Vec<_> = redirects(self.redirect_hits, format).into_iter().collect();
        if !format.hosts {
            let reason = format!("{} cannot be hosted yet", format.name);
            errors.push(FieldError::new("package_type", reason));
        }
        errors
    }

    fn moved_from(&self, _before: &Self) -> bool {
        false
    }
}

/// Clients that do not follow redirects would find nothing.
fn redirects(wanted: bool, format: &Describe) -> Option<FieldError> {
    let reason = format!("clients of {} do not follow redirects", format.name);
    (wanted && !format.follows_redirects).then(|| FieldError::new("redirect_hits", reason))
}

#[cfg(test)]
mod tests {
    use artifactapi_formats::named;

    use super::*;

    #[test]
    fn hits_are_redirected_only_for_types_whose_clients_follow() {
        let mut format = named("generic").unwrap().describe();
        let local = LocalSettings {
            redirect_hits: true,
            ..LocalSettings::default()
        };
        let mut remote = RemoteSettings::new("http://upstream.example/".parse().unwrap());
        remote.redirect_hits = true;
        assert_eq!(local.check(&format), []);
        assert_eq!(remote.check(&format), []);
        format.follows_redirects = false;
        for errors in [local.check(&format), remote.check(&format)] {
            let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(fields, ["redirect_hits"]);
        }
        assert_eq!(LocalSettings::default().check(&format), []);
    }
}
