//! Secret settings: how they stay out of sight, and where a repository has them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RemoteSettings, Role};

/// What begins every secret that a catalog keeps sealed, and nothing else: no setting may begin so.
pub const SEALED: &str = "sealed:1:";

/// A secret setting: written, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl Secret {
    /// Whether it is still as the catalog keeps it, because no key of this process opens it. Nobody must be sent it.
    pub fn is_sealed(&self) -> bool {
        self.0.starts_with(SEALED)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Role {
    /// Shows every secret of the settings to `visit`, each with the dotted path of its field.
    pub fn secrets_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Secret)) {
        match self {
            Self::Remote(settings) => settings.secrets_mut(visit),
            Self::Local(_) => {}
        }
    }

    /// The field of a secret that no key of this process opens, and the id of the key that would; `None` if all are
    /// open. See [`Secret::is_sealed`].
    pub fn sealed(&self) -> Option<(String, String)> {
        let mut found = None;
        self.clone().secrets_mut(&mut |field, secret| {
            if let Some(rest) = secret.0.strip_prefix(SEALED) {
                let key = rest.split(':').next().unwrap_or_default();
                found = Some((field.to_owned(), key.to_owned()));
            }
        });
        found
    }
}

impl RemoteSettings {
    fn secrets_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Secret)) {
        for (name, secret) in [("password", &mut self.password), ("token", &mut self.token)] {
            if let Some(secret) = secret {
                visit(name, secret);
            }
        }
        for (index, mirror) in self.mirrors.iter_mut().enumerate() {
            if let Some(secret) = &mut mirror.password {
                visit(&format!("mirrors.{index}.password"), secret);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::repository::{LocalSettings, Mirror};

    /// What is planted wherever a text fits.
    const CANARY: &str = "canary";

    /// The names of a document's fields, as its reader lists them when it meets a strange one.
    fn fields<T: DeserializeOwned>() -> Vec<String> {
        let refused = serde_json::from_value::<T>(json!({"?": null})).err().unwrap();
        let refused = refused.to_string();
        let (_, expected) = refused.split_once("expected ").unwrap();
        expected
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// The fields whose text is printed as stars, in documents made of `base` and one planted field.
    fn hidden<T: DeserializeOwned + fmt::Debug>(base: &Value) -> Vec<String> {
        let planted = |field: &str, value: Value| {
            let mut document = base.clone();
            document[field] = value;
            serde_json::from_value::<T>(document).ok()
        };
        let secret = |field: &String| {
            let values = [json!(CANARY), json!([CANARY]), json!({"of": CANARY})];
            let read = values.into_iter().find_map(|value| planted(field, value));
            read.is_some_and(|read| {
                format!("{read:?}").contains("***") && !format!("{read:?}").contains(CANARY)
            })
        };
        fields::<T>().into_iter().filter(secret).collect()
    }

    /// The fields that the visitor is shown where each of these holds a secret.
    fn visited(settings: Value) -> Vec<String> {
        let mut role: Role = serde_json::from_value(settings).unwrap();
        let mut seen = Vec::new();
        role.secrets_mut(&mut |name, secret| {
            seen.push(name.to_owned());
            secret.0 = "seen".into();
        });
        assert!(
            !serde_json::to_string(&role).unwrap().contains(CANARY),
            "{role:?}"
        );
        seen.sort();
        seen
    }

    #[test]
    fn no_secret_of_a_remote_is_forgotten() {
        let base = json!({"base_url": "http://h.example/"});
        let mut names = hidden::<RemoteSettings>(&base);
        let mut document = base;
        for name in &names {
            document[name] = json!(CANARY);
        }
        let mut mirror = json!({"url": "http://m.example/"});
        for name in hidden::<Mirror>(&mirror) {
            mirror[&name] = json!(CANARY);
            names.extend([format!("mirrors.0.{name}"), format!("mirrors.1.{name}")]);
        }
        document["mirrors"] = json!([mirror, mirror]);
        names.sort();
        assert_eq!(
            names,
            ["mirrors.0.password", "mirrors.1.password", "password", "token"]
        );
        assert_eq!(visited(json!({"remote": document})), names);
    }

    #[test]
    fn a_local_has_no_secret() {
        assert_eq!(hidden::<LocalSettings>(&json!({})), Vec::<String>::new());
        assert_eq!(visited(json!({"local": {}})), Vec::<String>::new());
    }

    #[test]
    fn a_secret_that_stays_sealed_is_noticed() {
        let named = Some(("password".to_owned(), "0a1b".to_owned()));
        for (password, sealed) in [("hunter2", None), ("sealed:1:0a1b:xyz", named)] {
            let settings = json!({"base_url": "http://h.example/", "username": "u", "password": password});
            let role: Role = serde_json::from_value(json!({"remote": settings})).unwrap();
            assert_eq!(role.sealed(), sealed, "{password}");
        }
    }

    #[test]
    fn secrets_print_as_stars() {
        assert_eq!(
            format!("{:?} {}", Secret("x".into()), Secret("x".into())),
            "*** ***"
        );
    }
}
