//! Blobs in a folder of the local file system.
//!
//! An object is written to a temporary file, brought to the disk, renamed into place, and its folder is brought to
//! the disk too, before anyone is told. A reader that has opened an object keeps it although it is deleted.
//! Temporary files are locked by their writers, so that those of the living are told from those of the dead.
//!
//! It stores objects of the shapes that [`ObjectName`] makes and no other name, so that no name can lead outside.

mod layout;
mod read;
mod walk;
mod write;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use artifactapi_core::Time;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::{BlobWriter, Blobs, ObjectInfo};
use artifactapi_core::port::{ByteStream, ReadSeek};
use async_trait::async_trait;
use url::Url;

use crate::folder::gone_is_none;
use crate::trouble::{blocking, disk};

/// The folder. Clones share it.
#[derive(Clone, Debug)]
pub struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    tmp: PathBuf,
    /// Whether nothing may be changed.
    read_only: bool,
    /// Folders known to be on the disk with all that leads to them.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// Opens the folder and makes it if it is missing. Fails where it cannot be written.
    pub fn open(root: PathBuf) -> Result<Self, Fault> {
        let inner = Inner::open(root).map_err(disk)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Opens a folder that is there, beside a server or alone, and never changes anything in it. Every method that
    /// would write fails.
    pub fn open_read_only(root: &Path) -> Result<Self, Fault> {
        let inner = Inner::open_read_only(root).map_err(disk)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Runs blocking work on the folder.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = Arc::clone(&self.inner);
        blocking(move || work(&inner)).await
    }
}

impl Inner {
    fn open(root: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(root.join("tmp"))?;
        let root = fs::canonicalize(root)?;
        // The way to the root is the administrator's; where we may sync its last step, we do.
        if let Some(Ok(above)) = root.parent().map(File::open) {
            above.sync_all()?;
        }
        let inner = Self::at(root, false);
        inner.probe()?;
        Ok(inner)
    }

    fn open_read_only(root: &Path) -> io::Result<Self> {
        let inner = Self::at(fs::canonicalize(root)?, true);
        inner.probe()?;
        Ok(inner)
    }

    fn at(root: PathBuf, read_only: bool) -> Self {
        Self {
            tmp: root.join("tmp"),
            root,
            read_only,
            durable: Mutex::default(),
        }
    }

    /// Fails where nothing may be changed.
    fn changeable(&self) -> io::Result<()> {
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    /// Where an object lies; `None` for a name that is no object's.
    fn path(&self, object: &ObjectName) -> Option<PathBuf> {
        layout::place(object.as_str()).map(|place| self.root.join(place))
    }

    /// Opens an object for reading.
    fn file(&self, object: &ObjectName) -> io::Result<Option<File>> {
        let Some(path) = self.path(object) else {
            return Ok(None);
        };
        gone_is_none(File::open(path))
    }

    /// Makes a folder below the root, durably. What was done once is not repeated.
    fn make_durable(&self, dir: &Path) -> io::Result<()> {
        if self.known().contains(dir) {
            return Ok(());
        }
        fs::create_dir_all(dir)?;
        // Another writer may have made it and not yet synced its parent, so existence proves nothing.
        for above in dir
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(&self.root))
        {
            File::open(above)?.sync_all()?;
        }
        self.known().insert(dir.to_path_buf());
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and removes a file, or only looks into the folder where nothing may be changed.
    fn probe(&self) -> io::Result<()> {
        if self.read_only {
            return fs::read_dir(&self.root).map(drop);
        }
        let (path, mut file) = write::temporary(&self.tmp)?;
        file.write_all(b"probe")?;
        fs::remove_file(path)
    }
}

#[async_trait]
impl Blobs for Folder {
    async fn create(&self, object: &ObjectName) -> Result<Box<dyn BlobWriter>, Fault> {
        let target = self
            .inner
            .path(object)
            .ok_or_else(|| Fault::ours(Kind::Internal, "not the name of an object", object))?;
        self.inner.changeable().map_err(disk)?;
        Ok(Box::new(write::Writer::new(Arc::clone(&self.inner), target)))
    }

    async fn open(&self, object: &ObjectName, span: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        let object = object.clone();
        let opened = self
            .with(move |inner| match inner.file(&object)? {
                Some(file) => read::Reading::begin(file, span),
                None => Ok(None),
            })
            .await?;
        Ok(opened.map(read::Reading::stream))
    }

    async fn file(&self, object: &ObjectName, end: u64) -> Result<Option<File>, Fault> {
        let object = object.clone();
        self.with(move |inner| match inner.file(&object)? {
            Some(file) => Ok((file.metadata()?.len() >= end).then_some(file)),
            None => Ok(None),
        })
        .await
    }

    async fn source(&self, object: &ObjectName) -> Result<Option<Box<dyn ReadSeek>>, Fault> {
        let object = object.clone();
        let file = self.with(move |inner| inner.file(&object)).await?;
        Ok(file.map(|file| Box::new(file) as Box<dyn ReadSeek>))
    }

    async fn size(&self, object: &ObjectName) -> Result<Option<u64>, Fault> {
        let Some(path) = self.inner.path(object) else {
            return Ok(None);
        };
        self.with(move |_| Ok(gone_is_none(fs::metadata(path))?.map(|meta| meta.len())))
            .await
    }

    async fn delete(&self, object: &ObjectName) -> Result<bool, Fault> {
        let Some(path) = self.inner.path(object) else {
            return Ok(false);
        };
        self.with(move |inner| {
            inner.changeable()?;
            Ok(gone_is_none(fs::remove_file(path))?.is_some())
        })
        .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, Fault> {
        let wanted = walk::Wanted {
            prefix: prefix.to_owned(),
            after: after.map(|after| after.as_str().to_owned()),
            limit,
        };
        self.with(move |inner| walk::list(&inner.root, &wanted)).await
    }

    async fn sweep(&self, older_than: Time) -> Result<u64, Fault> {
        self.with(move |inner| {
            inner.changeable()?;
            write::sweep(&inner.tmp, older_than)
        })
        .await
    }

    async fn leftovers(&self, older_than: Time) -> Result<Vec<String>, Fault> {
        self.with(move |inner| write::abandoned(&inner.tmp, older_than))
            .await
    }

    async fn link(
        &self,
        _object: &ObjectName,
        _media: &str,
        _lifetime: Duration,
    ) -> Result<Option<Url>, Fault> {
        Ok(None)
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), Fault> {
        self.with(Inner::probe).await
    }

    fn kind(&self) -> &'static str {
        "folder"
    }
}

#[cfg(test)]
mod tests;
