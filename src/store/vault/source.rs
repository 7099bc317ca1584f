//! Where keys come from.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use artifactapi_core::fault::{Fault, Kind};

use super::keys::{Key, Keys};
use crate::folder::gone_is_none;

/// The file of the data folder with the key that was made at the first start.
pub const KEY_FILE: &str = "secret-key";
/// The setting with keys, by its variable.
pub(super) const SETTING: &str = "ARTIFACTAPI_SECRET_KEY";
/// What our own file says about itself.
const NOTE: &str = "# Opens the secrets in the catalog beside it. Without it they are lost: keep a copy, apart from the \
    catalog's.\n";

/// Where keys come from.
pub(super) enum Source {
    /// A setting, which stays as it is while the process runs.
    Given,
    /// A file that someone else writes.
    File(PathBuf),
    /// A file in the data folder, made by ourselves when it is first needed.
    Own(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str(SETTING),
            Self::File(file) | Self::Own(file) => write!(f, "{}", file.display()),
        }
    }
}

/// A shared catalog's keys are given nowhere.
pub(super) fn missing() -> Fault {
    let what = "a PostgreSQL catalog needs keys for its secrets: set ARTIFACTAPI_SECRET_KEY, or \
        ARTIFACTAPI_SECRET_KEY_FILE to a file with them, alike for every replica; `openssl rand -base64 32` makes one";
    Fault::new(Kind::StoreUnavailable, what)
}

/// The keys of a file.
pub(super) fn read(file: &Path) -> Result<Keys, Fault> {
    read_if_there(file)?.ok_or_else(|| {
        let what = format!(
            "the key file {} (ARTIFACTAPI_SECRET_KEY_FILE) is not there",
            file.display()
        );
        Fault::new(Kind::StoreUnavailable, what)
    })
}

/// The keys of a file, if there is one.
pub(super) fn read_if_there(file: &Path) -> Result<Option<Keys>, Fault> {
    let text = gone_is_none(fs::read_to_string(file)).map_err(|error| unusable(file, error))?;
    text.map(|text| Keys::parse(&text, &file.display().to_string()))
        .transpose()
}

/// Makes our own file with this key, readable by its owner alone and durable before it can be seen. One that is there
/// already stays.
pub(super) fn make(file: &Path, key: &Key) -> Result<(), Fault> {
    let made = make_whole(file, &format!("{NOTE}{}\n", key.text()));
    made.map_err(|error| unusable(file, error))
}

fn make_whole(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().prefix(KEY_FILE).tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(file) {
        // Another process was first.
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {}
        persisted => drop(persisted.map_err(|refused| refused.error)?),
    }
    File::open(folder)?.sync_all()
}

fn unusable(file: &Path, error: io::Error) -> Fault {
    Fault::ours(
        Kind::StoreUnavailable,
        format!("the key file {} cannot be used", file.display()),
        error,
    )
}
