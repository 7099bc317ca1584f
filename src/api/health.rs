//! Health: what the program is made of and how each part fares.

use serde::{Deserialize, Serialize};

/// How a part, or the whole, fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should.
    Ok,
    /// Works, with something missing.
    Degraded,
    /// Does not.
    Down,
}

/// The answer of `GET /api/v2/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The whole: `down` without catalog or blobs, `degraded` without hot or with a worker that is restarting.
    pub status: Status,
    /// Version of the program.
    pub version: String,
    /// The stores.
    pub components: Vec<Component>,
    /// The workers.
    pub workers: Vec<Worker>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `catalog`, `blobs` or `hot`.
    pub name: String,
    /// Which implementation.
    pub kind: String,
    /// How it fares.
    pub status: Status,
    /// The error, for holders of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// What it does now.
    pub state: String,
    /// How often it was started again.
    pub restarts: u64,
    /// How much waits for it.
    pub queue: u64,
    /// Why it was started again the last time, for holders of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Health {
    /// The same without error texts, for those without a token.
    #[must_use]
    pub fn public(mut self) -> Self {
        for component in &mut self.components {
            component.error = None;
        }
        for worker in &mut self.workers {
            worker.last_error = None;
        }
        self
    }
}

/// The answer of `live` and `ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// How the whole fares.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_form_has_no_error_texts() {
        let health = Health {
            status: Status::Down,
            version: "1".into(),
            components: vec![Component {
                name: "catalog".into(),
                kind: "sqlite".into(),
                status: Status::Down,
                error: Some("disk full at /srv".into()),
            }],
            workers: vec![Worker {
                name: "gc".into(),
                state: "running".into(),
                restarts: 1,
                queue: 0,
                last_error: Some("panicked at x".into()),
            }],
        };
        let text = serde_json::to_string(&health.public()).unwrap();
        assert!(!text.contains("srv") && !text.contains("panicked"), "{text}");
        assert!(text.contains(r#""status":"down""#), "{text}");
    }
}
