//! Where the secrets of each kind of repository are, and how they are kept and hidden.

use artifactapi_core::repository::{LocalSettings, RemoteSettings};
use serde_json::{Map, Value, json};
use url::Url;

use super::Settings;

impl Settings for RemoteSettings {
    const KIND: &'static str = "remote";

    fn normalise(document: &mut Map<String, Value>) {
        let Some(Value::Array(mirrors)) = document.get_mut("mirrors") else {
            return;
        };
        for mirror in mirrors {
            if mirror.is_string() {
                *mirror = json!({"url": mirror.take()});
            }
        }
    }

    fn inherit(document: &mut Map<String, Value>, current: &Map<String, Value>) {
        // A document that identifies itself in another way has no use for the earlier secret.
        let given = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
        let wanted = [
            ("password", given("username") && !given("token")),
            ("token", !given("username") && !given("password")),
        ];
        for (secret, wanted) in wanted {
            if let (true, false, Some(value)) = (wanted, document.contains_key(secret), current.get(secret)) {
                document.insert(secret.to_owned(), value.clone());
            }
        }
        let earlier = current.get("mirrors").and_then(Value::as_array);
        let Some(Value::Array(mirrors)) = document.get_mut("mirrors") else {
            return;
        };
        for mirror in mirrors.iter_mut().filter_map(Value::as_object_mut) {
            let same = earlier.into_iter().flatten().find(|old| same_mirror(mirror, old));
            if let (false, Some(value)) = (
                mirror.contains_key("password"),
                same.and_then(|old| old.get("password")),
            ) {
                mirror.insert("password".to_owned(), value.clone());
            }
        }
    }

    fn mask(document: &mut Map<String, Value>) {
        for (secret, mark) in [("password", "password_set"), ("token", "token_set")] {
            let set = document.remove(secret).is_some_and(|value| !value.is_null());
            document.insert(mark.to_owned(), set.into());
        }
        if let Some(Value::Array(mirrors)) = document.get_mut("mirrors") {
            for mirror in mirrors.iter_mut().filter_map(Value::as_object_mut) {
                mirror.remove("password");
            }
        }
    }
}

impl Settings for LocalSettings {
    const KIND: &'static str = "local";

    fn normalise(_document: &mut Map<String, Value>) {}

    fn inherit(_document: &mut Map<String, Value>, _current: &Map<String, Value>) {}

    fn mask(_document: &mut Map<String, Value>) {}
}

/// A mirror keeps its password as long as URL and user name stay.
fn same_mirror(new: &Map<String, Value>, old: &Value) -> bool {
    let url = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .and_then(|text| Url::parse(text).ok())
    };
    let user = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    url(new.get("url")).is_some()
        && url(new.get("url")) == url(old.get("url"))
        && user(new.get("username")) == user(old.get("username"))
}
