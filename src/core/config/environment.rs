//! Environment variables: which setting each one means, and which ones must not be ignored.

use std::collections::BTreeMap;

use super::Config;
use crate::fault::FieldError;

/// Every variable of the program's own begins so.
const PREFIX: &str = "ARTIFACTAPI_";

/// Names that do not follow from section and key.
const ALIASES: &[(&str, &str)] = &[
    ("LISTEN_ADDR", "server.listen"),
    ("TLS_CERT", "server.tls_cert"),
    ("TLS_KEY", "server.tls_key"),
    ("ARTIFACTAPI_PUBLIC_URL", "server.public_url"),
    ("ARTIFACTAPI_DATA_DIR", "store.data_dir"),
    ("ARTIFACTAPI_ADMIN_TOKEN", "access.admin_token"),
    ("ARTIFACTAPI_SECRET_KEY", "store.secret_key"),
    ("ARTIFACTAPI_SECRET_KEY_FILE", "store.secret_key_file"),
    ("DBHOST", "postgresql.host"),
    ("DBPORT", "postgresql.port"),
    ("DBUSER", "postgresql.user"),
    ("DBPASS", "postgresql.password"),
    ("DBNAME", "postgresql.database"),
    ("REDIS_URL", "redis.url"),
    ("MINIO_ENDPOINT", "s3.endpoint"),
    ("MINIO_ACCESS_KEY", "s3.access_key"),
    ("MINIO_SECRET_KEY", "s3.secret_key"),
    ("MINIO_BUCKET", "s3.bucket"),
    ("MINIO_SECURE", "s3.secure"),
    ("MINIO_REGION", "s3.region"),
];

/// Read by the commands that speak to a server, or by the program before its settings.
const ELSEWHERE: &[&str] = &["ARTIFACTAPI_CONFIG", "ARTIFACTAPI_URL", "ARTIFACTAPI_TOKEN"];

/// What Kubernetes sets in every pod where a service is called like the program.
const ORCHESTRATOR: &[&str] = &["ARTIFACTAPI_SERVICE_", "ARTIFACTAPI_PORT"];

/// The variables that mean a setting, as (variable, dotted key, value), and complaints about those that should.
/// An empty variable counts as unset.
pub(super) fn read(env: &BTreeMap<String, String>) -> (Vec<(&str, String, &str)>, Vec<FieldError>) {
    let names = names();
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for (name, value) in env.iter().filter(|(_, value)| !value.is_empty()) {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
        if let Some(key) = names.get(name.as_str()) {
            found.push((name.as_str(), key.clone(), value.as_str()));
        } else if name.starts_with(PREFIX) && !ELSEWHERE.contains(&name.as_str()) && !begins(ORCHESTRATOR) {
            errors.push(FieldError::new(name, "is no setting of this build"));
        }
    }
    errors.extend(twice(&found));
    (found, errors)
}

/// Every variable's name with the dotted key of its setting.
fn names() -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = ALIASES
        .iter()
        .map(|&(name, key)| (name.to_owned(), key.to_owned()))
        .collect();
    for section in Config::default().sections() {
        for key in section.keys() {
            let name = format!("{PREFIX}{}_{key}", section.name()).to_ascii_uppercase();
            names.insert(name, format!("{}.{key}", section.name()));
        }
    }
    names
}

/// Complaints about settings that two variables give different values.
fn twice(found: &[(&str, String, &str)]) -> Vec<FieldError> {
    let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, key, value) in found {
        match seen.get(key.as_str()) {
            Some((other, known)) if known != value => {
                errors.push(FieldError::new(*name, format!("contradicts {other}")));
            }
            _ => {
                seen.insert(key, (name, value));
            }
        }
    }
    errors
}
