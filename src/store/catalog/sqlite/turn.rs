//! Opening a catalog's file is one process's and one task's at a time.
//!
//! Switching a new file to the write-ahead log needs it exclusively, and `SQLite` does not wait there as it does
//! elsewhere. Nor may the file be made by opening one that is there: closing it again would drop every lock that this
//! process has on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use artifactapi_core::fault::Fault;
use tokio::time::Instant;

use crate::trouble::catalog;

/// How often to look whether it is our turn.
const LOOK: Duration = Duration::from_millis(5);

/// The right to open files of a folder, until this is dropped. It is a lock on the folder itself: no file is made.
#[must_use = "the turn ends as soon as this is dropped"]
pub(super) struct Turn {
    _folder: File,
}

impl Turn {
    /// Waits until nobody else opens a catalog in the folder of `file`.
    pub(super) async fn of(file: &Path, patience: Duration) -> Result<Self, Fault> {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = File::open(folder).map_err(catalog)?;
        let until = Instant::now() + patience;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self { _folder: folder }),
                Err(TryLockError::Error(error)) => return Err(catalog(error)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(LOOK).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(catalog("another process has been opening it for long"));
                }
            }
        }
    }
}

/// Makes the file if it is missing, readable by its owner alone: repositories' credentials are in it.
pub(super) fn make(file: &Path, _turn: &Turn) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
