//! Queries of admin requests, read as strictly as bodies.

use actix_web::HttpRequest;
use artifactapi_api::document;
use artifactapi_core::fault::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::problem::ApiError;

/// Parameters that are numbers.
const NUMBERS: &[&str] = &["limit", "hours", "last_event_id"];
/// Parameters that are true or false.
const FLAGS: &[&str] = &["all", "forget", "keep_objects"];

/// The query as a document: unknown, repeated and unfit parameters are named.
pub(super) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    parse(request.query_string())
        .map_err(|errors| ApiError::malformed("the query is refused; `errors` says why", errors))
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Vec<FieldError>> {
    let mut fields = Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if fields.insert(name.to_string(), value(&name, &text)).is_some() {
            return Err(vec![FieldError::new(name, "is given twice")]);
        }
    }
    document::read(&Value::Object(fields))
}

fn value(name: &str, text: &str) -> Value {
    let typed = if NUMBERS.contains(&name) {
        text.parse::<u64>().ok().map(Value::from)
    } else if FLAGS.contains(&name) {
        text.parse::<bool>().ok().map(Value::from)
    } else {
        None
    };
    typed.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use artifactapi_api::objects::{EvictQuery, ObjectQuery};

    use super::*;

    fn complaint<T: DeserializeOwned + std::fmt::Debug>(query: &str) -> String {
        let errors = parse::<T>(query).unwrap_err();
        format!("{} {}", errors[0].field, errors[0].reason)
    }

    #[test]
    fn numbers_and_flags_are_read_and_text_stays_text() {
        let query: ObjectQuery = parse("limit=5&prefix=123&search=a%2Bb+c").unwrap();
        assert_eq!(
            (query.limit, query.prefix.as_str(), query.search.as_str()),
            (Some(5), "123", "a+b c")
        );
        let query: EvictQuery = parse("all=true&forget=false").unwrap();
        assert_eq!((query.all, query.forget), (Some(true), Some(false)));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(
            complaint::<ObjectQuery>("limit=many"),
            "limit must be a whole number, zero or more"
        );
        assert_eq!(complaint::<EvictQuery>("all=1"), "all must be true or false");
        assert_eq!(
            complaint::<EvictQuery>("colour=red"),
            "colour is not a known field"
        );
        assert_eq!(complaint::<EvictQuery>("path=a&path=b"), "path is given twice");
    }
}
