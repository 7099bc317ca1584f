//! Asks this machine's own pip which index it uses, and routes it to another one.
//!
//! pip is asked rather than its files read: it alone knows which of its files and variables win. Where nothing is set,
//! its built-in default is learned from pip itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::edit::Edit;
use super::index::Index;
use super::ini;
use crate::cli::machine::Machine;

/// Interpreters that may carry pip, in order.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// Prints the index that pip uses when nothing is set.
const DEFAULT: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

/// Sections of pip's configuration that hold for an installation, the strongest first.
const SECTIONS: [&str; 4] = [":env:", "install", "download", "global"];

/// pip as it is set up here.
#[derive(Debug)]
pub(super) struct Pip {
    python: &'static str,
    settings: BTreeMap<String, String>,
    /// The index it installs from.
    pub(super) index: Index,
}

impl Pip {
    /// pip, if this machine has it and it installs from an index that can be proxied.
    pub(super) fn ask(machine: &Machine) -> Option<Self> {
        let (python, listing) = PYTHONS.iter().find_map(|&python| {
            let listing = machine.output(python, &["-m", "pip", "config", "list"])?;
            Some((python, listing))
        })?;
        let settings = parse(&listing);
        let index = match effective(&settings, "index-url") {
            Some((name, url)) => Index::read(url, format!("pip, by {name}"))?,
            None => Index::read(&machine.output(python, &["-c", DEFAULT])?, "pip's own default")?,
        };
        Some(Self {
            python,
            settings,
            index,
        })
    }

    /// The file of certificates that it trusts instead of its own.
    pub(super) fn certificates(&self) -> Option<PathBuf> {
        effective(&self.settings, "cert").map(|(_, path)| PathBuf::from(path))
    }

    /// The proxy through which it reaches the index.
    pub(super) fn proxy(&self) -> Option<Url> {
        effective(&self.settings, "proxy").and_then(|(_, url)| Url::parse(url).ok())
    }

    /// How many further indexes it asks besides; they stay as they are.
    pub(super) fn further(&self) -> usize {
        effective(&self.settings, "extra-index-url").map_or(0, |(_, urls)| urls.split_whitespace().count())
    }

    /// The commands that route it to `url`.
    pub(super) fn lines(&self, url: &Url) -> Vec<String> {
        let set = |(key, value): (&str, String)| {
            format!("{} -m pip config set --user global.{key} '{value}'", self.python)
        };
        self.changes(url).into_iter().map(set).collect()
    }

    /// The same as one change of the file that wins.
    pub(super) fn edit(&self, machine: &Machine, url: &Url) -> Result<Edit, String> {
        let changes = self.changes(url);
        Edit::of(user_file(machine), |text| {
            let put = |text: String, (key, value): (&str, String)| ini::set(&text, "global", key, &value);
            Ok(changes.into_iter().fold(text.to_owned(), put))
        })
    }

    /// Keys of the section `global` and their values.
    fn changes(&self, url: &Url) -> Vec<(&'static str, String)> {
        let mut changes = vec![("index-url", url.to_string())];
        if let Some(host) = untrusted(url) {
            let others = effective(&self.settings, "trusted-host").map_or("", |(_, hosts)| hosts);
            let known = others.split_whitespace().filter(|other| *other != host);
            changes.push((
                "trusted-host",
                known.chain([host.as_str()]).collect::<Vec<_>>().join(" "),
            ));
        }
        changes
    }
}

/// The file that wins over the others: the one named by `PIP_CONFIG_FILE`, else the user's.
fn user_file(machine: &Machine) -> PathBuf {
    let named = machine.var("PIP_CONFIG_FILE").map(PathBuf::from);
    named.unwrap_or_else(|| machine.config_home().join("pip/pip.conf"))
}

/// The host that pip must be told to trust: it takes plain HTTP from this machine alone.
fn untrusted(url: &Url) -> Option<String> {
    let here = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    (url.scheme() == "http" && !here).then_some(host)
}

/// The setting that is in force, with its name.
fn effective<'s>(settings: &'s BTreeMap<String, String>, key: &str) -> Option<(String, &'s str)> {
    SECTIONS.iter().find_map(|section| {
        let name = format!("{section}.{key}");
        let value = settings.get(&name)?;
        Some((name, value.as_str()))
    })
}

/// Reads what `pip config list` prints: `name='value'`, the value as Python writes strings.
fn parse(listing: &str) -> BTreeMap<String, String> {
    let pairs = listing.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), unquote(value.trim())))
        .collect()
}

/// The text of a Python string literal, as far as settings need it.
fn unquote(literal: &str) -> String {
    let inner = literal
        .strip_prefix(['\'', '"'])
        .and_then(|rest| rest.strip_suffix(['\'', '"']))
        .unwrap_or(literal);
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.extend(
                rest.next()
                    .map(|escaped| if escaped == 'n' { '\n' } else { escaped }),
            ),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_setting_wins() {
        let listing = "global.index-url='https://a.example/simple'\n:env:.index-url='https://b.example/simple'\n\
                       install.cert='/a'\nglobal.cert='/b'\n";
        let settings = parse(listing);
        assert_eq!(
            effective(&settings, "index-url"),
            Some((":env:.index-url".into(), "https://b.example/simple"))
        );
        assert_eq!(effective(&settings, "cert"), Some(("install.cert".into(), "/a")));
        assert_eq!(effective(&settings, "proxy"), None);
    }

    #[test]
    fn values_are_read_as_python_writes_them() {
        assert_eq!(unquote(r"'a\nb'"), "a\nb");
        assert_eq!(unquote(r#""it's""#), "it's");
        assert_eq!(unquote(r"'C:\\x'"), r"C:\x");
    }

    #[test]
    fn only_plain_http_from_elsewhere_needs_trust() {
        let host = |url: &str| untrusted(&url.parse().unwrap());
        assert_eq!(host("http://127.0.0.1:8000/x"), None);
        assert_eq!(host("https://cache.example/x"), None);
        assert_eq!(
            host("http://cache.example:8000/x"),
            Some("cache.example:8000".into())
        );
    }
}
