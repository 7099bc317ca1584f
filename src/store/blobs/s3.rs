//! Blobs in a bucket of an S3 server, for any number of replicas.
//!
//! The server keeps the promises of the port: it shows an object only when it is whole, and it answers a write only
//! when that is durable. Each body is signed, so that it refuses bytes that changed on the way. The library beneath
//! repeats nothing and limits no time; both are done here.
//!
//! It makes no bucket, and it leaves alone what lies in the bucket under other names than an object's.

mod list;
mod object;
mod read;
mod trouble;
mod wire;
mod write;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::s3::Bucket as Handle;
use ::s3::creds::Credentials;
use ::s3::region::Region;
use artifactapi_core::Time;
use artifactapi_core::config::S3;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::{BlobWriter, Blobs, ObjectInfo};
use artifactapi_core::port::{ByteStream, ReadSeek};
use artifactapi_core::repository::Secret;
use artifactapi_io::Io;
use async_trait::async_trait;
use url::Url;

use self::trouble::{Reason, Trouble};
use self::wire::{Patience, Wire};
use crate::blobs::names::{self, Parts};
use crate::spool::Spools;

/// The longest that S3 lets a link be good for.
const LONGEST_LINK: Duration = Duration::from_hours(7 * 24);

/// The bucket. Clones share it.
#[derive(Clone, Debug)]
pub struct Bucket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    io: Io,
    wire: Wire,
    /// The bucket as clients reach it; signs links and sends nothing.
    public: Handle,
    /// What every key begins with.
    prefix: String,
    part_bytes: usize,
    spools: Spools,
    read_only: bool,
    /// Ids of the uploads that writers of this process go on with.
    living: Mutex<HashSet<String>>,
    /// Whether it is said already that the server does not tell of uploads.
    untold: AtomicBool,
}

impl Bucket {
    /// Opens the bucket and makes sure that it can be listed, written and cleared. Sources too large for memory are
    /// spooled in the folder `scratch`. The fault names the setting that is wrong, where one is.
    pub async fn open(settings: &S3, io: &Io, scratch: PathBuf) -> Result<Self, Fault> {
        Self::at(settings, io, scratch, false, Patience::default()).await
    }

    /// Opens the bucket and makes sure that it can be listed. Every method that would write fails.
    pub async fn open_read_only(settings: &S3, io: &Io, scratch: PathBuf) -> Result<Self, Fault> {
        Self::at(settings, io, scratch, true, Patience::default()).await
    }

    async fn at(
        settings: &S3,
        io: &Io,
        scratch: PathBuf,
        read_only: bool,
        patience: Patience,
    ) -> Result<Self, Fault> {
        let missing = || Fault::new(Kind::StoreUnavailable, "s3.endpoint is missing or malformed");
        let endpoint = settings.url().ok_or_else(missing)?;
        let public = settings.public_endpoint.as_ref().unwrap_or(&endpoint);
        let inner = Inner {
            io: io.clone(),
            wire: Wire::new(handle(settings, &endpoint)?, patience)?,
            public: handle(settings, public)?,
            prefix: settings.prefix.clone(),
            part_bytes: usize::try_from(settings.part_bytes).unwrap_or(usize::MAX),
            spools: Spools::new(scratch),
            read_only,
            living: Mutex::default(),
            untold: AtomicBool::new(false),
        };
        let bucket = Self {
            inner: Arc::new(inner),
        };
        io.enter(bucket.inner.probe()).await?;
        io.enter(bucket.inner.wire.find_way()).await;
        Ok(bucket)
    }
}

/// The library's idea of the bucket at an endpoint.
fn handle(settings: &S3, endpoint: &Url) -> Result<Handle, Fault> {
    // Retries are ours; this is the library's one setting for all.
    ::s3::set_retries(0);
    let unfit = |error: &dyn std::fmt::Display| {
        Fault::ours(
            Kind::StoreUnavailable,
            "the settings of s3 do not fit together",
            error,
        )
    };
    let region = Region::Custom {
        region: settings.region.clone(),
        endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
    };
    let (key, secret) = (
        settings.access_key.as_deref(),
        settings.secret_key.as_ref().map(|Secret(secret)| secret.as_str()),
    );
    let credentials = Credentials::new(key, secret, None, None, None).map_err(|error| unfit(&error))?;
    let mut handle = *Handle::new(&settings.bucket, region, credentials).map_err(|error| unfit(&error))?;
    handle.set_request_timeout(None);
    if settings.path_style {
        handle.set_path_style();
    }
    Ok(handle)
}

impl Inner {
    fn living(&self) -> MutexGuard<'_, HashSet<String>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of an object; `None` for a name that is no object's.
    fn key(&self, object: &ObjectName) -> Option<String> {
        names::parts(object.as_str()).map(|_| format!("{}{object}", self.prefix))
    }

    /// The object of a listed key; `None` for strangers and for the name of the installation.
    fn object(&self, key: &str) -> Option<ObjectName> {
        let name = key.strip_prefix(&self.prefix)?;
        let listed = names::parts(name).filter(|parts| *parts != Parts::Installation);
        listed.map(|_| ObjectName::stored(name))
    }

    fn changeable(&self) -> Result<(), Fault> {
        if self.read_only {
            let what = "the object store is open for reading only";
            return Err(Fault::new(Kind::StoreUnavailable, what));
        }
        Ok(())
    }
}

#[async_trait]
impl Blobs for Bucket {
    async fn create(&self, object: &ObjectName) -> Result<Box<dyn BlobWriter>, Fault> {
        let key = self.inner.key(object);
        let key = key.ok_or_else(|| Fault::ours(Kind::Internal, "not the name of an object", object))?;
        self.inner.changeable()?;
        Ok(Box::new(write::Writer::new(Arc::clone(&self.inner), key)))
    }

    async fn open(&self, object: &ObjectName, span: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        match self.inner.key(object) {
            Some(key) => self.inner.io.enter(self.inner.open(&key, span)).await,
            None => Ok(None),
        }
    }

    async fn source(&self, object: &ObjectName) -> Result<Option<Box<dyn ReadSeek>>, Fault> {
        let Some(body) = self.open(object, None).await? else {
            return Ok(None);
        };
        let spooled = self
            .inner
            .io
            .enter(read::spooled(body, &self.inner.spools))
            .await?;
        Ok(Some(spooled))
    }

    async fn size(&self, object: &ObjectName) -> Result<Option<u64>, Fault> {
        match self.inner.key(object) {
            Some(key) => self.inner.io.enter(self.inner.size(&key)).await,
            None => Ok(None),
        }
    }

    async fn delete(&self, object: &ObjectName) -> Result<bool, Fault> {
        self.inner.changeable()?;
        match self.inner.key(object) {
            Some(key) => self.inner.io.enter(self.inner.delete(&key)).await,
            None => Ok(false),
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, Fault> {
        let listing = self.inner.list(prefix, after, limit);
        self.inner.io.enter(listing).await
    }

    async fn sweep(&self, older_than: Time) -> Result<u64, Fault> {
        self.inner.changeable()?;
        self.inner.io.enter(self.inner.sweep(older_than)).await
    }

    async fn leftovers(&self, older_than: Time) -> Result<Vec<String>, Fault> {
        let begun = self.inner.io.enter(self.inner.abandoned(older_than)).await?;
        let name = |begun: &list::Begun| format!("{}?uploadId={}", begun.key, begun.id);
        Ok(begun.iter().map(name).collect())
    }

    async fn link(&self, object: &ObjectName, media: &str, lifetime: Duration) -> Result<Option<Url>, Fault> {
        let Some(key) = self.inner.key(object) else {
            return Ok(None);
        };
        let seconds = u32::try_from(lifetime.min(LONGEST_LINK).as_secs().max(1)).unwrap_or(1);
        let told = HashMap::from([("response-content-type".to_owned(), media.to_owned())]);
        let signed = self.inner.public.presign_get(&key, seconds, Some(told)).await;
        let signed = signed.map_err(Trouble::from)?;
        let url = Url::parse(&signed).map_err(|error| Trouble::new(Reason::Other, error.to_string()))?;
        Ok(Some(url))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), Fault> {
        self.inner.io.enter(self.inner.probe()).await
    }

    fn kind(&self) -> &'static str {
        "s3"
    }
}

#[cfg(test)]
mod tests;
