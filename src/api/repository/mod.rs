//! Repositories as documents: `{name, package_type, …settings}`. Secrets go in and never come out.
//!
//! A document that was read may be sent back as it is: read-only members are ignored, and secrets that are left out
//! stay as they were.

mod read;
mod secrets;

use artifactapi_core::repository::{LocalSettings, RemoteSettings, Repository};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members that only the server sets; ignored where they are sent.
pub const READ_ONLY: &[&str] = &[
    "kind",
    "revision",
    "created_at",
    "updated_at",
    "password_set",
    "token_set",
];

/// A remote as a document.
pub type RemoteDocument = Document<RemoteSettings>;

/// A local as a document.
pub type LocalDocument = Document<LocalSettings>;

/// The settings of one kind of repository.
pub trait Settings: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    /// `remote` or `local`.
    const KIND: &'static str;

    /// Brings shorthands of a document into the long form.
    fn normalise(document: &mut Map<String, Value>);

    /// Puts the secrets that a new document leaves out where they were before.
    fn inherit(document: &mut Map<String, Value>, current: &Map<String, Value>);

    /// Takes the secrets out, leaving only whether they are set.
    fn mask(document: &mut Map<String, Value>);
}

/// What a client says about a repository: everything it may decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft<S> {
    /// Its name.
    pub name: String,
    /// Its package type.
    pub package_type: String,
    /// Its settings, secrets included.
    pub settings: S,
}

impl<S: Settings> Draft<S> {
    /// The document to send, **with its secrets**.
    pub fn body(&self) -> Value {
        let mut document = members(&self.settings);
        document.insert("name".to_owned(), self.name.clone().into());
        document.insert("package_type".to_owned(), self.package_type.clone().into());
        Value::Object(document)
    }
}

/// A repository as the API shows it; its settings hold no secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "S: Settings", try_from = "Value", into = "Value")]
pub struct Document<S: Settings> {
    /// What a client may decide.
    pub draft: Draft<S>,
    /// Counts changes; the `ETag` is this number in quotes.
    pub revision: i64,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, RFC 3339.
    pub updated_at: String,
    /// Whether it has a password for its upstream.
    pub password_set: bool,
    /// Whether it has a bearer token for its upstream.
    pub token_set: bool,
}

impl<S: Settings> Document<S> {
    /// The document of a repository with these settings.
    pub fn new(repository: &Repository, settings: &S) -> Self {
        let mut shown = members(settings);
        S::mask(&mut shown);
        let flag = |name: &str| shown.get(name).and_then(Value::as_bool).unwrap_or(false);
        Self {
            password_set: flag("password_set"),
            token_set: flag("token_set"),
            draft: Draft {
                name: repository.name.clone(),
                package_type: repository.package_type.clone(),
                settings: unmarked(shown.clone()).unwrap_or_else(|| settings.clone()),
            },
            revision: repository.revision,
            created_at: repository.created_at.rfc3339(),
            updated_at: repository.updated_at.rfc3339(),
        }
    }
}

impl<S: Settings> From<Document<S>> for Value {
    fn from(document: Document<S>) -> Self {
        let mut shown = members(&document.draft.settings);
        S::mask(&mut shown);
        for (name, value) in [
            ("name", Value::from(document.draft.name)),
            ("package_type", document.draft.package_type.into()),
            ("kind", S::KIND.into()),
            ("revision", document.revision.into()),
            ("created_at", document.created_at.into()),
            ("updated_at", document.updated_at.into()),
        ] {
            shown.insert(name.to_owned(), value);
        }
        if shown.contains_key("password_set") {
            shown.insert("password_set".to_owned(), document.password_set.into());
            shown.insert("token_set".to_owned(), document.token_set.into());
        }
        Self::Object(shown)
    }
}

impl<S: Settings> TryFrom<Value> for Document<S> {
    type Error = String;

    fn try_from(document: Value) -> Result<Self, String> {
        let text = |name: &str| {
            document
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let flag = |name: &str| document.get(name).and_then(Value::as_bool).unwrap_or(false);
        let revision = document
            .get("revision")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let (created_at, updated_at) = (text("created_at"), text("updated_at"));
        let (password_set, token_set) = (flag("password_set"), flag("token_set"));
        let draft = Draft::read_new(document).map_err(|complaints| format!("{complaints:?}"))?;
        Ok(Self {
            draft,
            revision,
            created_at,
            updated_at,
            password_set,
            token_set,
        })
    }
}

/// The members of settings as they are stored, secrets included.
fn members(settings: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// Settings from a shown document, its marks taken off.
fn unmarked<S: Settings>(mut shown: Map<String, Value>) -> Option<S> {
    shown.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    serde_json::from_value(Value::Object(shown)).ok()
}

#[cfg(test)]
mod tests;
