//! Which file an object is: a fixed translation between names and paths.
//!
//! `blobs/<alg>/<hex>/<generation>` is the file `<hex>_<generation>` in the folder `blobs/<alg>/<first two of hex>`;
//! `uploads/<id>` is the file `<id>` in the folder `uploads/<first six of id>` (ids begin with their time, so that
//! a new folder begins every few hours); `installation` is a file of that name. Within a folder all names begin with the
//! folder's own path, so that walking folders in order walks names in byte order.

use std::path::{Path, PathBuf};

use artifactapi_core::key::ObjectName;

use crate::blobs::names::{Parts, parts};

/// Digits of a digest that name its folder.
const OF_DIGEST: usize = 2;
/// Digits of an upload's id that name its folder.
const OF_UPLOAD: usize = 6;

/// Path of an object's file relative to the root; `None` if no object can have this name.
pub(super) fn place(name: &str) -> Option<PathBuf> {
    match parts(name)? {
        Parts::Blob { alg, hex, generation } => {
            let dir = Path::new(ObjectName::BLOBS).join(alg).join(hex.get(..OF_DIGEST)?);
            Some(dir.join(format!("{hex}_{generation}")))
        }
        Parts::Upload { id } => {
            let dir = Path::new(ObjectName::UPLOADS).join(id.get(..OF_UPLOAD)?);
            Some(dir.join(id))
        }
        Parts::Installation => Some(ObjectName::INSTALLATION.into()),
    }
}

/// Name of the object that the file `file` in the folder `shard` (relative to the root) is; `None` for strangers.
pub(super) fn name(shard: &str, file: &str) -> Option<String> {
    let name = match shard.strip_prefix(ObjectName::BLOBS) {
        Some(rest) => {
            let (alg, _) = rest.split_once('/')?;
            let (hex, generation) = file.split_once('_')?;
            format!("{}{alg}/{hex}/{generation}", ObjectName::BLOBS)
        }
        None => format!("{}{file}", ObjectName::UPLOADS),
    };
    (place(&name)? == Path::new(shard).join(file)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_translate_both_ways() {
        for (object, shard, file) in [
            ("blobs/sha256/ab12/9f", "blobs/sha256/ab", "ab12_9f"),
            ("uploads/0199aabbcc", "uploads/0199aa", "0199aabbcc"),
        ] {
            assert_eq!(place(object).unwrap(), Path::new(shard).join(file));
            assert_eq!(name(shard, file).as_deref(), Some(object));
        }
        let installation = ObjectName::installation();
        assert_eq!(place(installation.as_str()).unwrap(), Path::new("installation"));
    }

    #[test]
    fn no_other_name_has_a_place() {
        let long = format!("uploads/{}", "a".repeat(129));
        for bad in [
            "",
            "uploads/",
            "uploads/12345",
            "uploads/../../etc",
            "uploads/abcdef/..",
            "uploads/abcdefé",
            "blobs/sha256/ab12",
            "blobs/sha256/a/9f",
            "blobs/../ab12/9f",
            "blobs/sha256/ab12/../9f",
            "blobs/sha256/ab_2/9f",
            "tmp/abcdefgh",
            "/uploads/abcdef",
            &long,
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_in_the_wrong_folder_are_strangers() {
        assert_eq!(name("blobs/sha256/ab", "cd12_9f"), None);
        assert_eq!(name("blobs/sha256/ab", "ab12"), None);
        assert_eq!(name("uploads/0199aa", "0199bbcc"), None);
        assert_eq!(name("uploads/0199aa", ".0199aa"), None);
    }
}
