//! Loading: one layer over the other, with a note of where each value comes from.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::value::Given;
use super::{Config, environment};
use crate::fault::FieldError;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    Default,
    /// The file of this name.
    File(String),
    /// The environment variable of this name.
    Env(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Settings that are in force, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each comes from, by dotted key; every key is there.
    pub origins: BTreeMap<String, Origin>,
}

impl Config {
    /// Puts the layers together: `files` as (name, text) in order, then `env`, then `flags` as (dotted key, text).
    ///
    /// Errors are all that can be found at once. They name the dotted key, the variable or the file.
    pub fn load(
        files: &[(String, String)],
        env: &BTreeMap<String, String>,
        flags: &[(String, String)],
    ) -> Result<Loaded, Vec<FieldError>> {
        let mut loading = Loading::new();
        for (name, text) in files {
            loading.file(name, text);
        }
        let (variables, errors) = environment::read(env);
        loading.errors.extend(errors);
        for (name, key, value) in variables {
            loading.set(&key, Given::Text(value), Origin::Env(name.to_owned()));
        }
        for (key, value) in flags {
            loading.set(key, Given::Text(value), Origin::Flag);
        }
        loading.finish()
    }
}

/// Layers being put together.
struct Loading {
    config: Config,
    origins: BTreeMap<String, Origin>,
    errors: Vec<FieldError>,
}

impl Loading {
    fn new() -> Self {
        let config = Config::default();
        let keys = config
            .settings()
            .into_iter()
            .map(|(key, _)| (key, Origin::Default));
        Self {
            origins: keys.collect(),
            config,
            errors: Vec::new(),
        }
    }

    fn file(&mut self, name: &str, text: &str) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                return self
                    .errors
                    .push(FieldError::new(name, parse_reason(&error, text)));
            }
        };
        for (section, value) in &table {
            let Value::Table(keys) = value else {
                self.complain(
                    section,
                    "is unknown outside of a section",
                    &Origin::File(name.to_owned()),
                );
                continue;
            };
            for (key, value) in keys {
                let origin = Origin::File(name.to_owned());
                self.set(&format!("{section}.{key}"), Given::Toml(value), origin);
            }
        }
    }

    fn set(&mut self, dotted: &str, given: Given<'_>, origin: Origin) {
        let (name, key) = dotted.split_once('.').unwrap_or((dotted, ""));
        let outcome = match self.config.section_mut(name) {
            Some(section) => section.set(key, given),
            None => Err(format!("is unknown: there is no section [{name}]")),
        };
        match outcome {
            Ok(()) => {
                self.origins.insert(dotted.to_owned(), origin);
            }
            Err(reason) => self.complain(dotted, &reason, &origin),
        }
    }

    fn complain(&mut self, key: &str, reason: &str, origin: &Origin) {
        self.errors
            .push(FieldError::new(key, format!("{reason} ({origin})")));
    }

    fn finish(mut self) -> Result<Loaded, Vec<FieldError>> {
        let found: Vec<(String, String)> = self
            .config
            .sections()
            .into_iter()
            .flat_map(|section| {
                let dotted = move |e: FieldError| (format!("{}.{}", section.name(), e.field), e.reason);
                section.check().into_iter().map(dotted)
            })
            .collect();
        for (key, reason) in found {
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
            self.complain(&key, &reason, &origin);
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(Loaded {
            config: self.config,
            origins: self.origins,
        })
    }
}

/// What is wrong with a file, and in which line; its text stays out, since it may hold a secret.
fn parse_reason(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{place}{}", error.message().replace('\n', " "))
}
