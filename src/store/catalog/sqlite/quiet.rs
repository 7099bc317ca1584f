//! Whether a catalog's file is at rest. `SQLite` reads a file with a write-ahead log only with two more files beside it,
//! which it makes and leaves there, unless it is told that nobody changes the file. Whoever has it open keeps its log
//! there, so that no log means nobody.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::folder::gone_is_none;

/// A file that no process had open, as it was then.
#[derive(Clone, Debug)]
pub(super) struct Quiet {
    file: PathBuf,
    stamp: (u64, SystemTime),
}

impl Quiet {
    /// The file, if it is there and nobody has it open.
    pub(super) fn of(file: &Path) -> io::Result<Option<Self>> {
        // Before the log: who opens the file between the two leaves one.
        let Some(meta) = gone_is_none(fs::metadata(file))? else {
            return Ok(None);
        };
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        if fs::exists(log)? {
            return Ok(None);
        }
        Ok(Some(Self {
            file: file.to_owned(),
            stamp: (meta.len(), meta.modified()?),
        }))
    }

    /// Whether nobody has opened or changed it since.
    pub(super) fn lasts(&self) -> bool {
        matches!(Self::of(&self.file), Ok(Some(now)) if now.stamp == self.stamp)
    }
}
