//! `[store]`: where everything is kept.

use std::path::PathBuf;

use super::section::section;
use crate::fault::FieldError;
use crate::repository::Secret;

section! {
    /// Where everything is kept.
    Store = "store" {
        /// Folder of catalog, blobs and spools; made if it does not exist. One process at a time uses it.
        data_dir: PathBuf = PathBuf::from("./data");
        /// Keys under which secrets of repositories are kept, separated by blanks: the first seals, all open.
        secret_key: Option<Secret> = None;
        /// File with such keys, one a line. Without either, a catalog in the data folder has its key there.
        secret_key_file: Option<PathBuf> = None;
    }
}

impl Store {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        if self.secret_key.is_none() || self.secret_key_file.is_none() {
            return Vec::new();
        }
        let reason = "cannot stand beside `secret_key`: give the keys in one place";
        vec![FieldError::new("secret_key_file", reason)]
    }
}
