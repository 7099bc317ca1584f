//! `[store]`: where everything is kept.

use std::path::PathBuf;

use super::section::section;
use crate::fault::FieldError;

section! {
    /// Where everything is kept.
    Store = "store" {
        /// Folder of catalog, blobs and spools; made if it does not exist. One process at a time uses it.
        data_dir: PathBuf = PathBuf::from("./data");
    }
}

impl Store {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        Vec::new()
    }
}
