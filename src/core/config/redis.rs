//! `[redis]`: the server of hints that replicas share.

use url::Url;

use super::section::{positive, section};
use crate::fault::FieldError;
use crate::repository::Secret;

section! {
    /// The server of hints that replicas share. Without a URL the hints are kept in the process.
    Redis = "redis" {
        /// `redis://` or `rediss://`, with user, password and database where needed.
        url: Option<Secret> = None;
        /// What every key and channel begins with; replicas of one installation share it.
        prefix: String = "artifactapi:".to_owned();
        /// Connections of one replica.
        connections: u32 = 8;
        /// Milliseconds to wait for an answer; later the server counts as gone.
        wait_milliseconds: u64 = 250;
    }
}

impl Redis {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = positive(&[
            ("connections", self.connections.into()),
            ("wait_milliseconds", self.wait_milliseconds),
        ]);
        let fit = |url: &Secret| {
            let url = Url::parse(&url.0).ok();
            url.is_some_and(|url| ["redis", "rediss"].contains(&url.scheme()) && url.has_host())
        };
        if !self.url.as_ref().is_none_or(fit) {
            errors.push(FieldError::new("url", "must be `redis://…` or `rediss://…`"));
        }
        errors
    }
}
