//! From documents to drafts: POST, PUT and PATCH.

use artifactapi_core::fault::FieldError;
use serde_json::{Map, Value};

use super::{Draft, READ_ONLY, Settings, members};
use crate::{document, patch};

/// What is wrong with a document, field by field.
type Complaints = Vec<FieldError>;

impl<S: Settings> Draft<S> {
    /// A document that creates a repository (POST).
    pub fn read_new(body: Value) -> Result<Self, Complaints> {
        let mut fields = object(body)?;
        let mut complaints = Complaints::new();
        let name = take_text(&mut fields, "name", &mut complaints);
        let package_type = take_text(&mut fields, "package_type", &mut complaints);
        for (field, value) in [("name", &name), ("package_type", &package_type)] {
            if value.is_none() && complaints.iter().all(|earlier| earlier.field != field) {
                complaints.push(FieldError::new(field, "is required"));
            }
        }
        let settings = settings(fields, &mut complaints);
        match (name, package_type, settings) {
            (Some(name), Some(package_type), Some(settings)) if complaints.is_empty() => Ok(Self {
                name,
                package_type,
                settings,
            }),
            _ => Err(complaints),
        }
    }

    /// A document that replaces this one (PUT): what is left out returns to its default, secrets that are left out
    /// stay, `null` removes them. Name and type may be left out; they cannot change.
    pub fn replaced_by(&self, body: Value) -> Result<Self, Complaints> {
        let mut fields = object(body)?;
        S::normalise(&mut fields);
        S::inherit(&mut fields, &members(&self.settings));
        self.with(fields)
    }

    /// This document with a merge patch applied (PATCH, RFC 7396): what is left out stays, `null` returns a setting
    /// to its default.
    pub fn patched_with(&self, patch: Value) -> Result<Self, Complaints> {
        let mut changes = object(patch)?;
        S::normalise(&mut changes);
        let current = members(&self.settings);
        let mut whole = Value::Object(current.clone());
        patch::merge(&mut whole, &Value::Object(changes.clone()));
        let mut fields = object(whole)?;
        // A secret that the patch removes must stay away; a mirror's is inherited as in a replacement.
        for (name, _) in changes.iter().filter(|(_, value)| value.is_null()) {
            fields.insert(name.clone(), Value::Null);
        }
        S::inherit(&mut fields, &current);
        self.with(fields)
    }

    /// A draft of the same name and type with other settings.
    fn with(&self, mut fields: Map<String, Value>) -> Result<Self, Complaints> {
        let mut complaints = Complaints::new();
        for (field, is) in [("name", &self.name), ("package_type", &self.package_type)] {
            let said = take_text(&mut fields, field, &mut complaints);
            if said.is_some_and(|said| said != *is) {
                complaints.push(FieldError::new(field, "cannot be changed"));
            }
        }
        let settings = settings(fields, &mut complaints);
        match settings {
            Some(settings) if complaints.is_empty() => Ok(Self {
                name: self.name.clone(),
                package_type: self.package_type.clone(),
                settings,
            }),
            _ => Err(complaints),
        }
    }
}

/// The settings in a document whose name and type have been taken out.
fn settings<S: Settings>(mut fields: Map<String, Value>, complaints: &mut Complaints) -> Option<S> {
    // `null` says "the default" of every setting, so that a client with optional fields need not leave them out.
    fields.retain(|name, value| !READ_ONLY.contains(&name.as_str()) && !value.is_null());
    S::normalise(&mut fields);
    document::read(&Value::Object(fields))
        .map_err(|wrong| complaints.extend(wrong))
        .ok()
}

fn object(body: Value) -> Result<Map<String, Value>, Complaints> {
    if let Value::Object(fields) = body {
        Ok(fields)
    } else {
        Err(vec![FieldError::new(document::WHOLE, "must be an object")])
    }
}

fn take_text(fields: &mut Map<String, Value>, name: &str, complaints: &mut Complaints) -> Option<String> {
    let value = fields.remove(name).filter(|value| !value.is_null())?;
    let text = value.as_str().map(str::to_owned);
    if text.is_none() {
        complaints.push(FieldError::new(name, "must be text"));
    }
    text
}
