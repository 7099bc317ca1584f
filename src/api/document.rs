//! Reading documents strictly: what is wrong is said field by field, all of it at once.

use artifactapi_core::fault::FieldError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The name of the document as a whole in a complaint that belongs to no field.
pub const WHOLE: &str = "";

/// How many complaints about one document are gathered at most.
const MOST_COMPLAINTS: usize = 32;

/// Names of fields whose values must never be repeated in a complaint.
const SECRET: &[&str] = &["password", "token"];

/// Reads bytes as JSON.
pub fn parse(body: &[u8]) -> Result<Value, FieldError> {
    serde_json::from_slice(body).map_err(|fault| {
        FieldError::new(
            WHOLE,
            format!("not JSON: line {}, column {}", fault.line(), fault.column()),
        )
    })
}

/// Reads a document of a type that refuses unknown fields.
///
/// Every wrong member of the outermost object gives a complaint of its own: the reader takes the member away and
/// tries again.
pub fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Vec<FieldError>> {
    // Derived readers take a list for an object, member by position; here that is always a mistake.
    if !document.is_object() {
        return Err(vec![FieldError::new(WHOLE, "must be an object")]);
    }
    let mut rest = document.clone();
    let mut complaints: Vec<FieldError> = Vec::new();
    loop {
        let complaint = match serde_path_to_error::deserialize(&rest) {
            Ok(value) if complaints.is_empty() => return Ok(value),
            Ok(_) => return Err(complaints),
            Err(fault) => complain(&dotted(fault.path()), &fault.inner().to_string()),
        };
        let member = outermost(&complaint.field).to_owned();
        // A member that was taken away for its type may be missed next; it has had its complaint.
        if !complaints
            .iter()
            .any(|earlier| outermost(&earlier.field) == member)
        {
            complaints.push(complaint);
        }
        let removed = rest.as_object_mut().and_then(|members| members.remove(&member));
        if removed.is_none() || complaints.len() >= MOST_COMPLAINTS {
            return Err(complaints);
        }
    }
}

/// A path as its parts with dots between: `mirrors.0.url`.
fn dotted(path: &Path) -> String {
    let parts: Vec<String> = path.iter().filter_map(part).collect();
    parts.join(".")
}

fn part(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

/// The first part of a dotted path.
fn outermost(field: &str) -> &str {
    field.split('.').next().unwrap_or_default()
}

/// Puts serde's words into ours: the field in its place, and no secret repeated.
fn complain(parent: &str, message: &str) -> FieldError {
    for (start, reason) in [
        ("missing field `", "is required"),
        ("unknown field `", "is not a known field"),
    ] {
        if let Some((name, _)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            return FieldError::new(below(parent, name), reason);
        }
    }
    let last = parent.rsplit('.').next().unwrap_or_default();
    if SECRET.contains(&last) {
        return FieldError::new(parent, "must be text");
    }
    FieldError::new(parent, reason(message))
}

/// The path of a member; serde's path may or may not name it already.
fn below(parent: &str, name: &str) -> String {
    if parent == name || parent.ends_with(&format!(".{name}")) {
        parent.to_owned()
    } else if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

/// Text that was refused is not repeated: a URL may hold a password.
fn reason(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if message.starts_with("invalid value: string") => {
            format!("is not valid: {expected}")
        }
        Some((_, expected)) => format!("must be {}", plain(expected)),
        None => before_quote(message).trim_end_matches(':').to_owned(),
    }
}

/// What stands before the first quoted text.
fn before_quote(message: &str) -> &str {
    message.split(" \"").next().unwrap_or_default()
}

/// A type of the program in plain words.
fn plain(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "usize" => "a whole number, zero or more",
        "a boolean" => "true or false",
        "a string" => "text",
        "a sequence" => "a list",
        other => before_quote(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its type matters here")]
        url: String,
        #[expect(dead_code, reason = "only its type matters here")]
        password: Option<String>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its type matters here")]
        base: String,
        #[serde(default)]
        count: u64,
        #[serde(default)]
        #[expect(dead_code, reason = "only its type matters here")]
        inner: Vec<Inner>,
    }

    fn fields(document: &Value) -> Vec<String> {
        let complaints = read::<Outer>(document).unwrap_err();
        complaints
            .iter()
            .map(|c| format!("{}: {}", c.field, c.reason))
            .collect()
    }

    #[test]
    fn every_wrong_member_is_named_once() {
        let said = fields(&json!({"count": "three", "colour": 1, "inner": [{"url": "a"}, {"url": 5}]}));
        assert_eq!(
            said,
            [
                "colour: is not a known field",
                "count: must be a whole number, zero or more",
                "inner.1.url: must be text",
                "base: is required"
            ]
        );
    }

    #[test]
    fn nested_unknown_and_missing_fields_have_their_path() {
        assert_eq!(
            fields(&json!({"base": "b", "inner": [{"url": "a", "x": 1}]})),
            ["inner.0.x: is not a known field"]
        );
        assert_eq!(
            fields(&json!({"base": "b", "inner": [{}]})),
            ["inner.0.url: is required"]
        );
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated() {
        let said = fields(&json!({"base": "b", "inner": [{"url": "a", "password": 4711}]}));
        assert_eq!(said, ["inner.0.password: must be text"]);
    }

    #[test]
    fn something_else_than_an_object_is_refused_as_a_whole() {
        let said = fields(&json!([1]));
        assert_eq!(said.len(), 1);
        assert!(
            said.first()
                .is_some_and(|s| s.starts_with('[') || s.starts_with(':')),
            "{said:?}"
        );
        assert!(parse(b"{").is_err());
    }

    #[test]
    fn a_good_document_is_read() {
        assert_eq!(read::<Outer>(&json!({"base": "b", "count": 3})).unwrap().count, 3);
    }
}
