//! Small helps for files and folders of temporary files.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use artifactapi_core::Time;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

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

/// Reads `len` bytes at the offset `at`, fewer only at the end of the file; into memory that is not cleared first.
pub(crate) fn read_at(file: &File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let from = at + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), from) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}
