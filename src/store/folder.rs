//! Small helps for folders of temporary files: which of them are old, and their removal.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use artifactapi_core::Time;

/// Names of the files directly in `dir` last changed before `older_than`, sorted; none if there is no such folder.
pub(crate) fn files_older_than(dir: &Path, older_than: Time) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(meta) = gone_is_none(entry.metadata())? else {
            continue;
        };
        if meta.is_file() && modified(&meta) < older_than {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes what [`files_older_than`] lists; gives the number of files removed.
pub(crate) fn remove_older_than(dir: &Path, older_than: Time) -> io::Result<u64> {
    let mut removed = 0;
    for name in files_older_than(dir, older_than)? {
        removed += u64::from(gone_is_none(fs::remove_file(dir.join(name)))?.is_some());
    }
    Ok(removed)
}

/// When a file was last changed.
pub(crate) fn modified(meta: &Metadata) -> Time {
    let since = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    Time::default().plus(since)
}

/// `None` for a file that is not there.
pub(crate) fn gone_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
