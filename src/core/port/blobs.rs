//! Blobs: objects of bytes by name. Durable once committed; atomic; never changed afterwards.

use std::fs::File;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::{ByteStream, ReadSeek, Result};
use crate::clock::Time;
use crate::key::ObjectName;

/// A store of objects.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Begins an object. It is invisible until its writer commits.
    async fn create(&self, object: &ObjectName) -> Result<Box<dyn BlobWriter>>;

    /// Streams an object, or the given bytes of it; `None` if there is no such object, or if it is known to end before
    /// these bytes do.
    async fn open(&self, object: &ObjectName, span: Option<Range<u64>>) -> Result<Option<ByteStream>>;

    /// An object as an open file that holds at least `end` bytes, for the kernel to send by itself; `None` where the store
    /// has no files, or no such file. Nobody writes to it.
    async fn file(&self, _object: &ObjectName, _end: u64) -> Result<Option<File>> {
        Ok(None)
    }

    /// The object for random access, spooled first where the store is remote; `None` if there is none.
    async fn source(&self, object: &ObjectName) -> Result<Option<Box<dyn ReadSeek>>>;

    /// Size in bytes; `None` if there is no such object.
    async fn size(&self, object: &ObjectName) -> Result<Option<u64>>;

    /// Removes an object; `false` if there was none.
    async fn delete(&self, object: &ObjectName) -> Result<bool>;

    /// Objects under `prefix` whose names follow `after`, in byte order, at most `limit`.
    async fn list(&self, prefix: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<ObjectInfo>>;

    /// Removes what writers left behind that ended without commit before `older_than`; gives their number.
    async fn sweep(&self, older_than: Time) -> Result<u64>;

    /// What [`sweep`](Self::sweep) would remove, by name.
    async fn leftovers(&self, older_than: Time) -> Result<Vec<String>>;

    /// A URL under which anybody can read the object for `lifetime`, told to answer with this media type; `None` where
    /// the store gives none. Says nothing about whether the object exists.
    async fn link(&self, object: &ObjectName, media: &str, lifetime: Duration) -> Result<Option<Url>>;

    /// Whether several processes may use the store at once; what [`sweep`](Self::sweep) finds may then be another's work.
    fn is_shared(&self) -> bool;

    /// Whether the store can be reached and written.
    async fn check(&self) -> Result<()>;

    /// The kind of store, for health (`folder`, `s3`).
    fn kind(&self) -> &'static str;
}

/// Writes one object. Dropped without commit, it leaves nothing visible behind.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends bytes.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object durable and visible; gives its size.
    async fn commit(self: Box<Self>) -> Result<u64>;
}

/// An object as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name.
    pub object: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// When it was committed.
    pub modified: Time,
}
