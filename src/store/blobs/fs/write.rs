//! Writing an object: a locked temporary file, renamed into place once it is on the disk.
//!
//! The lock says that the writer lives, to sweepers of this process and of others; it ends with the process,
//! however that ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use artifactapi_core::Time;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::blobs::BlobWriter;
use async_trait::async_trait;
use bytes::Bytes;

use super::Inner;
use crate::folder::{self, gone_is_none};
use crate::trouble::{blocking, damaged};

/// Bytes gathered before they are written.
const GATHER: usize = 256 << 10;

/// One object on its way.
pub(super) struct Writer {
    inner: Arc<Inner>,
    target: PathBuf,
    gathered: Vec<u8>,
    /// `None` while it is elsewhere; it comes back unless a write failed or was abandoned.
    draft: Option<Draft>,
}

/// What is on the disk already; removed when dropped.
#[derive(Default)]
struct Draft {
    file: Option<(PathBuf, File)>,
    size: u64,
}

impl Writer {
    pub(super) fn new(inner: Arc<Inner>, target: PathBuf) -> Self {
        Self {
            inner,
            target,
            gathered: Vec::new(),
            draft: Some(Draft::default()),
        }
    }

    fn take_draft(&mut self) -> Result<Draft, Fault> {
        let broken = || damaged("an object is written on after a failure", "the draft is gone");
        self.draft.take().ok_or_else(broken)
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Fault> {
        if self.gathered.len() + chunk.len() < GATHER {
            self.gathered.extend_from_slice(&chunk);
            return Ok(());
        }
        let mut draft = self.take_draft()?;
        let (inner, gathered) = (Arc::clone(&self.inner), std::mem::take(&mut self.gathered));
        let draft = blocking(move || {
            draft.write(&inner.tmp, &[&gathered, &chunk])?;
            Ok(draft)
        });
        self.draft = Some(draft.await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<u64, Fault> {
        let mut draft = self.take_draft()?;
        let Self {
            inner,
            target,
            gathered,
            ..
        } = *self;
        blocking(move || {
            draft.write(&inner.tmp, &[&gathered])?;
            draft.publish(&inner, &target)
        })
        .await
    }
}

impl Draft {
    fn write(&mut self, tmp: &Path, chunks: &[&[u8]]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(temporary(tmp)?);
        }
        if let Some((_, file)) = &mut self.file {
            for chunk in chunks {
                file.write_all(chunk)?;
                self.size += chunk.len() as u64;
            }
        }
        Ok(())
    }

    /// Brings it to the disk and gives it its name; gives its size.
    fn publish(&mut self, inner: &Inner, target: &Path) -> io::Result<u64> {
        let dir = target.parent().unwrap_or(&inner.root);
        inner.make_durable(dir)?;
        if let Some((path, file)) = &self.file {
            file.sync_all()?;
            fs::rename(path, target)?;
        }
        self.file = None;
        File::open(dir)?.sync_all()?;
        Ok(self.size)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.file
            && let Err(error) = gone_is_none(fs::remove_file(path))
        {
            log::warn!(error:%; "a temporary file stays behind until the next sweep");
        }
    }
}

/// A new temporary file, locked.
pub(super) fn temporary(tmp: &Path) -> io::Result<(PathBuf, File)> {
    let name = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
    let path = tmp.join(name);
    let file = File::create_new(&path)?;
    // A sweeper may be trying the lock at this very moment; it lets go at once.
    file.lock()?;
    Ok((path, file))
}

/// Names of temporary files whose writers have died, last changed before `older_than`.
pub(super) fn abandoned(tmp: &Path, older_than: Time) -> io::Result<Vec<String>> {
    let mut names = folder::files_older_than(tmp, older_than)?;
    let mut trouble = None;
    names.retain(|name| {
        is_abandoned(&tmp.join(name)).unwrap_or_else(|error| {
            trouble = Some(error);
            false
        })
    });
    trouble.map_or(Ok(names), Err)
}

/// Removes them; gives their number.
pub(super) fn sweep(tmp: &Path, older_than: Time) -> io::Result<u64> {
    let mut removed = 0;
    for name in abandoned(tmp, older_than)? {
        removed += u64::from(gone_is_none(fs::remove_file(tmp.join(name)))?.is_some());
    }
    Ok(removed)
}

/// Whether no living writer holds the file.
fn is_abandoned(path: &Path) -> io::Result<bool> {
    let Some(file) = gone_is_none(File::open(path))? else {
        return Ok(false);
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
