//! The table of repositories as requests see it: settings compiled, swapped whole when something changes.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::freshness::Rules;
use artifactapi_core::policy::Policy;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::upstream::{Credentials, Origin};
use artifactapi_core::repository::{RemoteSettings, RepoId, Repository};
use artifactapi_formats::{Format, Repo};
use tokio::sync::Mutex;

/// A repository, ready to serve.
pub(crate) struct Mount {
    /// The catalog's row.
    pub(crate) repository: Arc<Repository>,
    /// Its name, shared with rows of the access log.
    pub(crate) name: Arc<str>,
    /// Its package type.
    pub(crate) format: &'static dyn Format,
    /// Its patterns.
    pub(crate) policy: Policy,
    /// Its times.
    pub(crate) rules: Rules,
    /// Its upstream; `None` for a local.
    pub(crate) origin: Option<Arc<Origin>>,
}

impl Mount {
    /// Compiles a repository's settings.
    pub(crate) fn new(repository: Repository) -> Result<Self, Fault> {
        let format = artifactapi_formats::named(&repository.package_type)
            .ok_or_else(|| Fault::not_found(format!("no package type {}", repository.package_type)))?;
        if let Some((field, key)) = repository.role.sealed() {
            let what = format!("no key of this server opens its {field}, which is sealed with the key {key}");
            return Err(Fault::new(Kind::StoreUnavailable, what));
        }
        let ttl = format.describe().mutable_ttl;
        let (policy, rules, origin) = match repository.remote() {
            Some(settings) => {
                let policy = Policy::compile(settings).map_err(|errors| {
                    Fault::ours(
                        Kind::Internal,
                        "its patterns cannot be compiled",
                        format!("{errors:?}"),
                    )
                })?;
                (
                    policy,
                    rules(settings, ttl),
                    Some(Arc::new(origin(&repository, settings))),
                )
            }
            None => (Policy::open(), hosted_rules(ttl), None),
        };
        Ok(Self {
            name: repository.name.as_str().into(),
            repository: Arc::new(repository),
            format,
            policy,
            rules,
            origin,
        })
    }

    /// Its identity.
    pub(crate) fn id(&self) -> RepoId {
        self.repository.id
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What its format may know of it.
    pub(crate) fn repo(&self) -> Repo<'_> {
        let index = self
            .repository
            .remote()
            .map(|settings| settings.index_url.as_ref().unwrap_or(&settings.base_url));
        Repo {
            name: self.name(),
            local: self.repository.local().is_some(),
            index,
        }
    }

    /// Whether anyone may read it.
    pub(crate) fn anonymous_read(&self) -> bool {
        match (self.repository.remote(), self.repository.local()) {
            (Some(settings), _) => settings.anonymous_read,
            (_, Some(settings)) => settings.anonymous_read,
            (None, None) => false,
        }
    }

    /// Whether its clients are sent to the store of blobs for what that holds.
    pub(crate) fn redirects_hits(&self) -> bool {
        let wanted = match (self.repository.remote(), self.repository.local()) {
            (Some(settings), _) => settings.redirect_hits,
            (_, Some(settings)) => settings.redirect_hits,
            (None, None) => false,
        };
        wanted && self.format.describe().follows_redirects
    }
}

fn rules(settings: &RemoteSettings, type_ttl: u64) -> Rules {
    Rules {
        immutable_ttl: settings.immutable_ttl,
        mutable_ttl: settings.mutable_ttl.unwrap_or(type_ttl),
        stale_on_error: settings.stale_on_error,
        max_stale: settings.max_stale,
        stale_while_revalidate: settings.stale_while_revalidate,
    }
}

fn hosted_rules(mutable_ttl: u64) -> Rules {
    Rules {
        immutable_ttl: 0,
        mutable_ttl,
        stale_on_error: false,
        max_stale: 0,
        stale_while_revalidate: 0,
    }
}

fn origin(repository: &Repository, settings: &RemoteSettings) -> Origin {
    let credentials = match (&settings.token, &settings.username, &settings.password) {
        (Some(token), _, _) => Credentials::Bearer(token.clone()),
        (None, Some(username), Some(password)) => Credentials::Basic {
            username: username.clone(),
            password: password.clone(),
        },
        _ => Credentials::Anonymous,
    };
    Origin {
        repo: repository.id,
        revision: repository.revision,
        roots: std::iter::once(&settings.base_url)
            .chain(&settings.index_url)
            .cloned()
            .collect(),
        credentials,
        mirrors: settings.mirrors.clone(),
        allow_networks: settings.allow_networks.clone(),
        egress_proxy: settings.egress_proxy.clone(),
        ca_bundle: settings.ca_bundle.clone(),
    }
}

/// All repositories by name.
#[derive(Default)]
pub(crate) struct Table {
    mounts: ArcSwap<HashMap<String, Arc<Mount>>>,
    reloading: Mutex<()>,
}

impl Table {
    /// Reads the repositories anew.
    pub(crate) async fn reload(&self, catalog: &dyn Catalog) -> Result<(), Fault> {
        // One at a time from reading to swapping: an older reading must not replace a newer one.
        let _turn = self.reloading.lock().await;
        let mut mounts = HashMap::new();
        for repository in catalog.repositories().await? {
            let name = repository.name.clone();
            if let Some(mount) = self.mounted(repository) {
                mounts.insert(name, mount);
            }
        }
        self.mounts.store(Arc::new(mounts));
        Ok(())
    }

    /// The repository ready to serve; as it was before where it cannot be read any more though nobody changed it.
    fn mounted(&self, repository: Repository) -> Option<Arc<Mount>> {
        let (name, id, revision) = (repository.name.clone(), repository.id, repository.revision);
        let fault = match Mount::new(repository) {
            Ok(mount) => return Some(Arc::new(mount)),
            Err(fault) => fault,
        };
        let same = |mount: &Arc<Mount>| mount.id() == id && mount.repository.revision == revision;
        let before = self.get(&name).filter(same);
        let fate = if before.is_some() {
            "stays as it was"
        } else {
            "is left out"
        };
        log::error!(repository = name.as_str(); "repository {fate}: {fault}");
        before
    }

    /// The repository of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Mount>> {
        self.mounts.load().get(name).cloned()
    }

    /// Whether this very mount is in force.
    pub(crate) fn is_in_force(&self, mount: &Arc<Mount>) -> bool {
        let mounts = self.mounts.load();
        mounts
            .get(mount.name())
            .is_some_and(|now| Arc::ptr_eq(now, mount))
    }

    /// Whether a mount is still the one in force: a fetch begun under older settings must not be stored.
    pub(crate) fn is_current(&self, mount: &Mount) -> bool {
        self.get(mount.name())
            .is_some_and(|now| now.id() == mount.id() && now.repository.revision == mount.repository.revision)
    }

    /// Every repository, for the collector.
    pub(crate) fn repositories(&self) -> Vec<Arc<Repository>> {
        self.mounts
            .load()
            .values()
            .map(|mount| Arc::clone(&mount.repository))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use artifactapi_core::Time;
    use artifactapi_core::repository::{Role, Secret};

    use super::*;

    fn repository(revision: i64, password: &str) -> Repository {
        let mut settings = RemoteSettings::new("http://h.example/".parse().unwrap());
        settings.username = Some("u".to_owned());
        settings.password = Some(Secret(password.to_owned()));
        Repository {
            id: RepoId(uuid::Uuid::from_u128(1)),
            name: "r".to_owned(),
            package_type: "generic".to_owned(),
            role: Role::Remote(Box::new(settings)),
            revision,
            created_at: Time(0),
            updated_at: Time(0),
        }
    }

    #[test]
    fn what_no_key_opens_is_never_sent_upstream() {
        let table = Table::default();
        assert!(table.mounted(repository(1, "sealed:1:0a1b2c3d:xyz")).is_none());
        let open = table.mounted(repository(1, "hunter2")).unwrap();
        table
            .mounts
            .store(Arc::new(HashMap::from([("r".to_owned(), Arc::clone(&open))])));
        // Sealed anew with a key that this process does not have, and otherwise the same: it goes on.
        let kept = table.mounted(repository(1, "sealed:1:0a1b2c3d:xyz")).unwrap();
        assert!(Arc::ptr_eq(&kept, &open));
        assert!(table.mounted(repository(2, "sealed:1:0a1b2c3d:xyz")).is_none());
    }
}
