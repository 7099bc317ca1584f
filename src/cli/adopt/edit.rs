//! Changes of configuration files, and the record of what was there before.
//!
//! The record is written before the first file is, so that an interrupted change can be undone, too. It may hold the
//! credentials that stood in those files: only its owner can read it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::machine::Machine;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Edit {
    /// The file.
    pub(super) path: PathBuf,
    /// Its text before; `None` if it did not exist.
    before: Option<String>,
    /// Its text afterwards.
    after: String,
}

impl Edit {
    /// The change that `how` makes of the file's present text; a missing file counts as empty.
    pub(super) fn of(
        path: PathBuf,
        how: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let before = read(&path)?;
        let after = how(before.as_deref().unwrap_or_default())?;
        Ok(Self { path, before, after })
    }

    fn perform(&self) -> Result<(), String> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| about(folder, &error))?;
        // A file that holds credentials keeps its mode: it is written in place.
        fs::write(&self.path, &self.after).map_err(|error| about(&self.path, &error))
    }

    fn revert(&self) -> Result<(), String> {
        let done = match &self.before {
            Some(before) => fs::write(&self.path, before),
            None => fs::remove_file(&self.path),
        };
        done.map_err(|error| about(&self.path, &error))
    }
}

/// Every change that is in force, each with the text from before the first one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    edits: Vec<Edit>,
}

impl Record {
    /// Where it lies.
    pub(super) fn path(machine: &Machine) -> PathBuf {
        machine.state_home().join("artifactapi/adopted.json")
    }

    /// The record of this machine; empty if there is none.
    pub(super) fn load(machine: &Machine) -> Result<Self, String> {
        let path = Self::path(machine);
        let Some(text) = read(&path)? else {
            return Ok(Self::default());
        };
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether a change that is in force wrote this, so that it is a cache and not an index.
    pub(super) fn wrote(&self, url: &str) -> bool {
        self.edits.iter().any(|edit| edit.after.contains(url))
    }

    /// Performs changes. What stood in a file before the first of them stays what will be restored.
    pub(super) fn apply(&mut self, machine: &Machine, edits: Vec<Edit>) -> Result<(), String> {
        for mut edit in edits {
            let earlier = self.edits.iter().position(|known| known.path == edit.path);
            if let Some(earlier) = earlier.map(|at| self.edits.swap_remove(at)) {
                edit.before = earlier.before;
            }
            self.edits.push(edit);
        }
        self.save(machine)?;
        self.edits.iter().try_for_each(Edit::perform)
    }

    /// Restores every file, gives their paths, and forgets them. Files that someone changed since are left alone:
    /// then nothing at all is restored.
    pub(super) fn undo(self, machine: &Machine) -> Result<Vec<PathBuf>, String> {
        let mut due = Vec::new();
        for edit in &self.edits {
            let now = read(&edit.path)?;
            if now.as_deref() == Some(edit.after.as_str()) {
                due.push(edit);
            } else if now != edit.before {
                let record = Self::path(machine);
                return Err(format!(
                    "{} was changed since; restore it by hand, its earlier text is in {}",
                    edit.path.display(),
                    record.display()
                ));
            }
        }
        due.iter().try_for_each(|edit| edit.revert())?;
        let path = Self::path(machine);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(about(&path, &error)),
            _ => {}
        }
        Ok(due.iter().map(|edit| edit.path.clone()).collect())
    }

    fn save(&self, machine: &Machine) -> Result<(), String> {
        let path = Self::path(machine);
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error: std::io::Error| about(&path, &error))
    }
}

/// A file's text; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(about(path, &error)),
    }
}

fn about(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
