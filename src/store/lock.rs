//! The data folder belongs to one process at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use artifactapi_core::fault::{Fault, Kind};

/// Name of the file that is locked.
const FILE: &str = "lock";

/// Holds a data folder. The lock ends when this is dropped, and with the process however it ends.
#[derive(Debug)]
#[must_use = "the folder is free again as soon as this is dropped"]
pub struct DirLock {
    _file: File,
}

/// Takes a data folder, which is made if it is missing. Fails at once if another process has it, and says which.
pub fn lock(dir: &Path) -> Result<DirLock, Fault> {
    let shown = dir.display();
    let failed = |error: io::Error| {
        Fault::ours(
            Kind::StoreUnavailable,
            format!("the data folder {shown} cannot be locked"),
            error,
        )
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut options = File::options();
    let opened = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(FILE));
    let mut file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let holder = holder(&mut file).unwrap_or_else(|| "another process".to_owned());
            let what =
                format!("the data folder {shown} is in use by {holder}: stop it, or use another folder");
            return Err(Fault::new(Kind::StoreUnavailable, what));
        }
    }
    sign(&mut file).map_err(failed)?;
    Ok(DirLock { _file: file })
}

/// Leaves our process id for whoever finds the folder locked.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// What the holder has left.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let id: u32 = text.trim().parse().ok()?;
    Some(format!("process {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_is_free_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/data");
        let held = lock(&data).unwrap();
        let fault = lock(&data).unwrap_err();
        assert_eq!(fault.kind, Kind::StoreUnavailable);
        assert!(
            fault.what.contains(&format!("process {}", std::process::id())),
            "{fault:?}"
        );
        drop(held);
        let again = lock(&data).unwrap();
        let other = lock(&dir.path().join("b")).unwrap();
        drop((again, other));
    }

    #[test]
    fn what_cannot_be_locked_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let fault = lock(&file).unwrap_err();
        assert!(fault.what.contains("file cannot be locked"), "{fault:?}");
    }
}
