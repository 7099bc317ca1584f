//! Listing objects in byte order of their names, one folder at a time.

use std::fs;
use std::io;
use std::path::Path;

use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::ObjectInfo;

use super::layout;
use crate::folder::{gone_is_none, modified};

/// Which objects to list.
pub(super) struct Wanted {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Wanted {
    fn takes(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && self.after.as_deref().is_none_or(|after| name > after)
    }

    /// Whether names that begin with `shard` can be among them.
    fn enters(&self, shard: &str) -> bool {
        let fits = shard.starts_with(&self.prefix) || self.prefix.starts_with(shard);
        let ahead = |after: &str| shard > after || after.starts_with(shard);
        fits && self.after.as_deref().is_none_or(ahead)
    }
}

/// The objects wanted, in byte order.
pub(super) fn list(root: &Path, wanted: &Wanted) -> io::Result<Vec<ObjectInfo>> {
    let mut found = Vec::new();
    for shard in shards(root)?.iter().filter(|shard| wanted.enters(shard)) {
        let dir = root.join(shard);
        let mut files: Vec<_> = names(&dir)?
            .into_iter()
            .filter_map(|file| layout::name(shard, &file).map(|name| (name, file)))
            .filter(|(name, _)| wanted.takes(name))
            .collect();
        files.sort_unstable();
        for (name, file) in files {
            if found.len() >= wanted.limit {
                return Ok(found);
            }
            if let Some(meta) = gone_is_none(fs::metadata(dir.join(file)))? {
                found.push(ObjectInfo {
                    object: ObjectName::stored(name),
                    size: meta.len(),
                    modified: modified(&meta),
                });
            }
        }
    }
    Ok(found)
}

/// Folders that hold objects, relative to the root, in byte order.
fn shards(root: &Path) -> io::Result<Vec<String>> {
    let mut shards = Vec::new();
    for alg in names(&root.join(ObjectName::BLOBS))? {
        let above = format!("{}{alg}", ObjectName::BLOBS);
        for shard in names(&root.join(&above))? {
            shards.push(format!("{above}/{shard}"));
        }
    }
    for shard in names(&root.join(ObjectName::UPLOADS))? {
        shards.push(format!("{}{shard}", ObjectName::UPLOADS));
    }
    shards.sort_unstable();
    Ok(shards)
}

/// Names in a folder, in no order; none if there is no such folder.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        other => other?,
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
