//! `[postgresql]`: the catalog's server, for several replicas.

use super::section::{positive, section};
use crate::fault::FieldError;
use crate::repository::Secret;

section! {
    /// The catalog's server. Without a host the catalog is an SQLite file in the data folder.
    Postgresql = "postgresql" {
        /// Host name, address, or folder of the server's socket.
        host: Option<String> = None;
        /// Port.
        port: u32 = 5432;
        /// User.
        user: String = "artifactapi".to_owned();
        /// The user's password.
        password: Option<Secret> = None;
        /// Database; it must exist.
        database: String = "artifactapi".to_owned();
        /// TLS: `disable`, `prefer`, `require` (no check of the name) or `verify-full`.
        tls: String = "prefer".to_owned();
        /// PEM file with certificates trusted besides the system's.
        ca_bundle: Option<std::path::PathBuf> = None;
        /// Connections of one replica.
        connections: u32 = 16;
        /// Seconds one statement may take.
        statement_seconds: u64 = 30;
    }
}

impl Postgresql {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = positive(&[
            ("port", self.port.into()),
            ("connections", self.connections.into()),
            ("statement_seconds", self.statement_seconds),
        ]);
        if self.port > u16::MAX.into() {
            errors.push(FieldError::new("port", "must be at most 65535"));
        }
        if !["disable", "prefer", "require", "verify-full"].contains(&self.tls.as_str()) {
            let reason = "must be `disable`, `prefer`, `require` or `verify-full`";
            errors.push(FieldError::new("tls", reason));
        }
        errors
    }
}
