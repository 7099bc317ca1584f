//! Metadata of a wheel (PEP 658), read from the wheel itself where upstream promises the sidecar and has it not.
//!
//! A client that was told of metadata gives up when it cannot get it, so the promise is kept from the wheel.

use std::borrow::Cow;
use std::io::Read as _;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::plan::Want;
use artifactapi_core::port::ReadSeek;
use zip::ZipArchive;

use super::{names, route};
use crate::kit::media::ends_with;

/// Most bytes of metadata; real ones have a few thousand.
const MAX_METADATA: u64 = 16 << 20;

/// Whether a want is the metadata of a wheel.
pub(super) fn is_metadata(want: &Want) -> bool {
    wheel_of(want).is_some()
}

/// The wheel whose metadata is wanted.
pub(super) fn wheel(want: &Want) -> Option<Want> {
    route::artifact(want.subject.package.as_deref()?, wheel_of(want)?).ok()
}

fn wheel_of(metadata: &Want) -> Option<&str> {
    let file = metadata.key.file_name().strip_suffix(names::METADATA)?;
    ends_with(file, ".whl").then_some(file)
}

/// The `METADATA` of the one `.dist-info` folder at the top of a wheel.
pub(super) fn extract(wheel: &mut dyn ReadSeek) -> Result<Vec<u8>, Fault> {
    let mut archive = ZipArchive::new(wheel).map_err(|e| broken("the wheel is no zip archive").because(e))?;
    let is_it = |name: &str| {
        let parts = name.split_once('/');
        parts.is_some_and(|(folder, file)| folder.ends_with(".dist-info") && file == "METADATA")
    };
    let found = archive
        .file_names()
        .flatten()
        .find(|name| is_it(name))
        .map(Cow::into_owned);
    let name = found.ok_or_else(|| broken("the wheel has no metadata"))?;
    let file = archive
        .by_name(&name)
        .map_err(|e| broken("the wheel's metadata cannot be read").because(e))?;
    let mut metadata = Vec::new();
    let read = file.take(MAX_METADATA + 1).read_to_end(&mut metadata);
    read.map_err(|e| broken("the wheel's metadata cannot be read").because(e))?;
    if metadata.len() as u64 > MAX_METADATA {
        return Err(broken("the wheel's metadata is larger than 16 MiB"));
    }
    Ok(metadata)
}

fn broken(what: &'static str) -> Fault {
    Fault::new(Kind::Broken, what)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn wheel_with(name: &str) -> Cursor<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in [
            ("demo/vendored-1.0.dist-info/METADATA", "wrong"),
            (name, "Name: demo\n"),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap()
    }

    #[test]
    fn metadata_comes_from_the_folder_at_the_top() {
        assert_eq!(
            extract(&mut wheel_with("demo-1.0.dist-info/METADATA")).unwrap(),
            b"Name: demo\n"
        );
    }

    #[test]
    fn wheels_without_metadata_and_other_files_are_faults() {
        for mut wheel in [
            wheel_with("demo-1.0.dist-info/RECORD"),
            Cursor::new(b"<html>".to_vec()),
            Cursor::default(),
        ] {
            assert_eq!(extract(&mut wheel).unwrap_err().kind, Kind::Broken);
        }
    }

    #[test]
    fn only_metadata_of_wheels_is_made() {
        let metadata = route::artifact("demo", "demo-1.0-py3-none-any.whl.metadata").unwrap();
        assert_eq!(
            wheel(&metadata).unwrap().key.as_str(),
            "packages/demo/demo-1.0-py3-none-any.whl"
        );
        assert!(is_metadata(&metadata));
        for other in [
            "demo-1.0.tar.gz.metadata",
            "demo-1.0-py3-none-any.whl",
            "demo-1.0-py3-none-any.whl.asc",
        ] {
            assert_eq!(wheel(&route::artifact("demo", other).unwrap()), None);
        }
    }
}
