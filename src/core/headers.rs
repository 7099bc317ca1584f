//! Header fields as plain words, so that no HTTP library's types reach the pure crates.

use serde::{Deserialize, Serialize};

/// An ordered list of header fields. Names are kept in lower case; a name may occur several times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field line beside others of the same name.
    pub fn append(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Sets a field, replacing every line of that name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Removes every line of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
    }

    /// The first line of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every line of a name, in order.
    pub fn all<'h, 'n: 'h>(&'h self, name: &'n str) -> impl Iterator<Item = &'h str> {
        self.0
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The comma-separated items of every line of a name, trimmed, empty ones left out (RFC 9110 §5.6.1).
    pub fn items<'h, 'n: 'h>(&'h self, name: &'n str) -> impl Iterator<Item = &'h str> {
        self.all(name)
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    /// All field lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in fields {
            headers.append(name.as_ref(), value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_lists_span_lines() {
        let mut headers = Headers::from_iter([("Accept", "a, b"), ("accept", "c")]);
        assert_eq!(headers.items("ACCEPT").collect::<Vec<_>>(), ["a", "b", "c"]);
        headers.set("Accept", "d");
        assert_eq!(headers.all("accept").collect::<Vec<_>>(), ["d"]);
        headers.remove("accept");
        assert_eq!(headers.get("accept"), None);
    }
}
