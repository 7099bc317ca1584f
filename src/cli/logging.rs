//! The log on standard error: a line for people or a JSON document for programs, each with the fields of its record.

use std::io::Write as _;

use artifactapi_core::clock::{Clock, SystemClock};
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};
use serde_json::Map;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people: time, level, place, message, `name=value`.
    Line,
    /// For programs: one JSON object.
    Json,
}

/// Starts logging what `filter` lets through (`info,artifactapi_engine=debug`). A second call changes nothing.
pub(crate) fn start(filter: &str, form: Form) {
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(filter).format(move |out, record| {
        let at = SystemClock.now().rfc3339();
        let line = match form {
            Form::Line => line(&at, record),
            Form::Json => object(&at, record),
        };
        writeln!(out, "{line}")
    });
    drop(builder.try_init());
}

fn line(at: &str, record: &Record<'_>) -> String {
    let field = |(name, value): (String, serde_json::Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), quoted);
        format!(" {name}={text}")
    };
    let fields = fields(record).into_iter().map(field).collect::<Vec<_>>().concat();
    let line = format!(
        "{at} {:5} {} {}{fields}",
        record.level(),
        record.target(),
        record.args()
    );
    // One record is one line, whatever a stranger's text holds.
    line.replace('\n', "\\n").replace('\r', "\\r")
}

/// Text as it stands, or in quotes where it would be read as something else.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([' ', '"', '=', '\n', '\r', '\t']);
    if plain {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}

fn object(at: &str, record: &Record<'_>) -> String {
    let mut object = Map::new();
    object.insert("at".to_owned(), at.into());
    object.insert("level".to_owned(), name(record.level()).into());
    object.insert("target".to_owned(), record.target().into());
    object.insert("message".to_owned(), record.args().to_string().into());
    for (name, value) in fields(record) {
        object.entry(name).or_insert(value);
    }
    serde_json::Value::Object(object).to_string()
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// The fields of a record, numbers and truth values as such.
fn fields(record: &Record<'_>) -> Vec<(String, serde_json::Value)> {
    struct Fields(Vec<(String, serde_json::Value)>);
    impl<'kvs> VisitSource<'kvs> for Fields {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            self.0.push((key.to_string(), plain(&value)));
            Ok(())
        }
    }
    let mut fields = Fields(Vec::new());
    drop(record.key_values().visit(&mut fields));
    fields.0
}

fn plain(value: &Value<'_>) -> serde_json::Value {
    let number = value
        .to_u64()
        .map(Into::into)
        .or_else(|| value.to_i64().map(Into::into));
    let number = number.or_else(|| value.to_f64().map(Into::into));
    number
        .or_else(|| value.to_bool().map(Into::into))
        .unwrap_or_else(|| value.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(how: fn(&str, &Record<'_>) -> String) -> String {
        let fields: &[(&str, Value<'_>)] =
            &[("status", Value::from(502)), ("why", Value::from("a \"b\"\nc"))];
        let record = Record::builder()
            .level(Level::Warn)
            .target("web")
            .args(format_args!("request failed"))
            .key_values(&fields)
            .build();
        how("2026-01-02T03:04:05.006Z", &record)
    }

    #[test]
    fn a_line_stays_one_line() {
        let expected = r#"2026-01-02T03:04:05.006Z WARN  web request failed status=502 why="a \"b\"\nc""#;
        assert_eq!(shown(line), expected);
    }

    #[test]
    fn json_keeps_numbers_and_text_apart() {
        let read: serde_json::Value = serde_json::from_str(&shown(object)).unwrap();
        let expected = serde_json::json!({
            "at": "2026-01-02T03:04:05.006Z", "level": "warn", "target": "web", "message": "request failed",
            "status": 502, "why": "a \"b\"\nc",
        });
        assert_eq!(read, expected);
    }
}
