//! Problem documents (RFC 9457), the form of every error of the admin API.

use artifactapi_core::fault::{Fault, FieldError, Kind};
use serde::{Deserialize, Serialize};

/// The media type of a problem document.
pub const MEDIA: &str = "application/problem+json";

/// What begins the `type` of every problem; the stable code follows.
const TYPE: &str = "urn:artifactapi:problem:";

/// An error as a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Names the kind of problem: a URN that ends with `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words; the same for every problem of the kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable code for programs.
    pub code: String,
    /// Fields that were refused, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE}{}", kind.code()),
            title: title(kind.code()),
            status: kind.status(),
            detail: detail.into(),
            code: kind.code().to_owned(),
            errors: Vec::new(),
        }
    }

    /// The fields that were refused.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The kind of fault it speaks of, if its code is known.
    pub fn fault_kind(&self) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.code() == self.code)
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self::new(fault.kind, fault.what.clone())
    }
}

/// `not_found` → `Not found`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_specification_and_no_cause() {
        let fault = Fault::not_found("no remote of this name").because("secret");
        let problem = Problem::from(&fault).with_errors(vec![FieldError::new("name", "unknown")]);
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            serde_json::json!({
                "type": "urn:artifactapi:problem:not_found", "title": "Not found", "status": 404,
                "detail": "no remote of this name", "code": "not_found",
                "errors": [{"field": "name", "reason": "unknown"}],
            })
        );
        assert_eq!(problem.fault_kind(), Some(Kind::NotFound));
    }
}
