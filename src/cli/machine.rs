//! The machine as a command finds it: environment, home, other programs. A value, so that tests can make up their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What surrounds this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    env: BTreeMap<String, String>,
}

impl Machine {
    /// The real one.
    pub(crate) fn real() -> Self {
        Self {
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        }
    }

    /// One with this environment and nothing else.
    #[cfg(test)]
    pub(crate) fn with(env: &[(&str, &str)]) -> Self {
        Self {
            env: env
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// The whole environment, for the settings.
    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// A variable that is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Where users keep their configuration (XDG base directories).
    pub(crate) fn config_home(&self) -> PathBuf {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    /// Where programs keep their state (XDG base directories).
    pub(crate) fn state_home(&self) -> PathBuf {
        self.xdg("XDG_STATE_HOME", ".local/state")
    }

    fn xdg(&self, name: &str, below_home: &str) -> PathBuf {
        let home = || Path::new(self.var("HOME").unwrap_or("/")).join(below_home);
        self.var(name).map_or_else(home, PathBuf::from)
    }

    /// What a program prints, if it exists and ends well. It sees this machine's environment alone.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    }
}
