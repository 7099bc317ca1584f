//! Where a command's settings come from: files, the environment, flags. The rules are those of `core::config`.

use std::path::PathBuf;

use artifactapi_core::config::{Config, Loaded};
use artifactapi_core::fault::FieldError;

use super::Failure;
use super::machine::Machine;

/// Exit code where the settings cannot be.
const UNUSABLE: u8 = 2;

/// The flags that every command with settings has.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Layers {
    /// Settings files, the later over the earlier [env: `ARTIFACTAPI_CONFIG`, separated by colons]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,

    /// One setting, over files and environment
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,

    /// Folder of catalog, blobs and spools
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl Layers {
    /// The same with one more flag on top.
    pub(crate) fn with(mut self, key: &str, value: Option<String>) -> Self {
        self.set.extend(value.map(|value| (key.to_owned(), value)));
        self
    }

    /// What is in force, and why. The failure names everything that is wrong.
    pub(crate) fn load(&self, machine: &Machine) -> Result<Loaded, Failure> {
        let named = machine
            .var("ARTIFACTAPI_CONFIG")
            .unwrap_or_default()
            .split(':')
            .filter(|name| !name.is_empty());
        let named: Vec<PathBuf> = named.map(PathBuf::from).collect();
        let chosen = if self.config.is_empty() {
            &named
        } else {
            &self.config
        };
        let files = chosen.iter().map(|path| {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).map_err(|error| unusable(&format!(" {name}: {error}")))?;
            Ok((name, text))
        });
        let files = files.collect::<Result<Vec<_>, Failure>>()?;
        let layers = self.clone().with("store.data_dir", self.data_dir.clone());
        Config::load(&files, machine.env(), &layers.set).map_err(|errors| unusable(&listed(&errors)))
    }
}

fn unusable(what: &str) -> Failure {
    Failure::with_code(format!("the settings cannot be used:{what}"), UNUSABLE)
}

fn listed(errors: &[FieldError]) -> String {
    let lines = errors
        .iter()
        .map(|error| format!("\n  {}: {}", error.field, error.reason));
    lines.collect::<Vec<_>>().concat()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("a setting is given as section.key=value")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(config: &[&std::path::Path], set: &[&str]) -> Layers {
        Layers {
            config: config.iter().map(PathBuf::from).collect(),
            set: set.iter().map(|text| pair(text).unwrap()).collect(),
            data_dir: None,
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "[gc]\ngrace = 1\ninterval = 2\n[server]\nworkers = 3\n").unwrap();
        let machine = Machine::with(&[("ARTIFACTAPI_GC_GRACE", "10"), ("ARTIFACTAPI_GC_INTERVAL", "20")]);
        let config = layers(&[&file], &["gc.grace=100"]).load(&machine).unwrap().config;
        assert_eq!(
            (config.gc.grace, config.gc.interval, config.server.workers),
            (100, 20, 3)
        );
        let machine = Machine::with(&[("ARTIFACTAPI_CONFIG", file.to_str().unwrap())]);
        assert_eq!(layers(&[], &[]).load(&machine).unwrap().config.gc.grace, 1);
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let failure = layers(&[], &["gc.grace=soon", "nothing.at=all"])
            .load(&Machine::default())
            .unwrap_err();
        assert!(
            failure.what.contains("gc.grace: must be") && failure.what.contains("nothing.at: is unknown")
        );
        assert_eq!(failure.code, UNUSABLE);
        let missing = layers(&["/nowhere.toml".as_ref()], &[])
            .load(&Machine::default())
            .unwrap_err();
        assert!(missing.what.contains("/nowhere.toml"), "{missing:?}");
    }
}
