//! Asks this machine's own uv which index it uses, and routes it to another one.
//!
//! uv has no command that tells: its variables and the files of user and system are read in its own order, and its
//! built-in default is learned from its help. Files of projects are not touched.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::edit::{Edit, read};
use super::index::Index;
use crate::cli::machine::Machine;

/// Variables that name the index, the strongest first.
const VARIABLES: [&str; 2] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];

/// uv as it is set up here.
#[derive(Debug)]
pub(super) struct Uv {
    /// The index it installs from.
    pub(super) index: Index,
}

/// The part of `uv.toml` that speaks of indexes; positions are kept, so that a value can be replaced in place.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    #[serde(default)]
    index: Vec<Entry>,
    index_url: Option<Spanned<String>>,
}

#[derive(Deserialize)]
struct Entry {
    url: Spanned<String>,
    #[serde(default)]
    default: bool,
}

impl Settings {
    fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The value that names the default index: a table marked so, else the older setting.
    fn default_index(&self) -> Option<&Spanned<String>> {
        let marked = self
            .index
            .iter()
            .find(|entry| entry.default)
            .map(|entry| &entry.url);
        marked.or(self.index_url.as_ref())
    }
}

impl Uv {
    /// uv, if this machine has it and it installs from an index that can be proxied.
    pub(super) fn ask(machine: &Machine) -> Option<Self> {
        machine.output("uv", &["--version"])?;
        Some(Self {
            index: by_variable(machine)
                .or_else(|| by_file(machine))
                .or_else(|| built_in(machine))?,
        })
    }

    /// The lines that route it to `url`.
    pub(super) fn lines(url: &Url) -> Vec<String> {
        vec![format!("export UV_DEFAULT_INDEX='{url}'")]
    }

    /// The same as a change of the user's file.
    pub(super) fn edit(machine: &Machine, url: &Url) -> Result<Edit, String> {
        let path = user_file(machine);
        let shown = path.display().to_string();
        Edit::of(path, |text| {
            routed(text, url).map_err(|error| format!("{shown}: {error}"))
        })
    }

    /// The variable that wins over every file, if one is set.
    pub(super) fn variable(machine: &Machine) -> Option<&'static str> {
        VARIABLES.into_iter().find(|name| machine.var(name).is_some())
    }
}

/// `text` with `url` as its default index.
fn routed(text: &str, url: &Url) -> Result<String, String> {
    let changed = if let Some(span) = Settings::read(text)?.default_index().map(Spanned::span) {
        let (head, tail) = (text.get(..span.start), text.get(span.end..));
        format!(
            "{}\"{url}\"{}",
            head.unwrap_or_default(),
            tail.unwrap_or_default()
        )
    } else {
        let gap = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        let table = format!("{text}{gap}\n[[index]]\nurl = \"{url}\"\ndefault = true\n");
        table.trim_start_matches('\n').to_owned()
    };
    let settled = Settings::read(&changed)?
        .default_index()
        .is_some_and(|now| now.get_ref() == url.as_str());
    settled
        .then_some(changed)
        .ok_or_else(|| "the default index could not be set".to_owned())
}

fn user_file(machine: &Machine) -> PathBuf {
    let named = machine.var("UV_CONFIG_FILE").map(PathBuf::from);
    named.unwrap_or_else(|| machine.config_home().join("uv/uv.toml"))
}

fn by_variable(machine: &Machine) -> Option<Index> {
    let name = Uv::variable(machine)?;
    Index::read(machine.var(name)?, format!("uv, by {name}"))
}

fn by_file(machine: &Machine) -> Option<Index> {
    let system = machine
        .var("XDG_CONFIG_DIRS")
        .unwrap_or("/etc/xdg")
        .split(':')
        .map(|folder| format!("{folder}/uv/uv.toml"));
    let files = [user_file(machine)]
        .into_iter()
        .chain(system.map(PathBuf::from))
        .chain(["/etc/uv/uv.toml".into()]);
    files.into_iter().find_map(|file| {
        let settings = Settings::read(&read(&file).ok()??).ok()?;
        Index::read(
            settings.default_index()?.get_ref(),
            format!("uv, by {}", file.display()),
        )
    })
}

/// What uv's own help says about the index that it uses when nothing is set.
fn built_in(machine: &Machine) -> Option<Index> {
    let help = machine.output("uv", &["pip", "install", "--help"])?;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, from) = words.split_once("--default-index")?;
    let (_, url) = from.split_once("by default: <")?;
    Index::read(url.split_once('>')?.0, "uv's own default")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        "http://127.0.0.1:8000/api/v1/remote/pypi/simple/"
            .parse()
            .unwrap()
    }

    #[test]
    fn an_empty_file_gets_a_table() {
        let text = routed("", &url()).unwrap();
        assert_eq!(text, format!("[[index]]\nurl = \"{}\"\ndefault = true\n", url()));
        assert_eq!(routed(&text, &url()).unwrap(), text);
    }

    #[test]
    fn what_was_set_is_replaced_in_place() {
        let text = "# mine\nindex-url = 'https://a.example/simple' # old\n[pip]\nsystem = true";
        let changed = format!("# mine\nindex-url = \"{}\" # old\n[pip]\nsystem = true", url());
        assert_eq!(routed(text, &url()).unwrap(), changed);
        let text = "index = [{ url = \"https://a.example/simple\", default = true }]";
        assert_eq!(
            routed(text, &url()).unwrap(),
            format!("index = [{{ url = \"{}\", default = true }}]", url())
        );
    }

    #[test]
    fn other_indexes_stay_and_what_cannot_be_changed_is_refused() {
        let text = "[[index]]\nname = \"own\"\nurl = \"https://own.example/simple\"";
        assert!(routed(text, &url()).unwrap().starts_with(text));
        assert!(routed("index = [{ url = \"https://own.example/simple\" }]", &url()).is_err());
        assert!(routed("index = [", &url()).is_err());
    }
}
