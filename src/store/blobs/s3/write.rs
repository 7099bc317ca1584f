//! Writing an object: in one piece if it fits into a part, otherwise part by part.
//!
//! At most one part is under way while the next is gathered. S3 shows an object only when it is whole, so nothing is
//! visible before the commit; the parts of a writer that is dropped are removed behind it. Whether a commit whose
//! answer was lost took place, nobody knows: it is a failure, and the object, if there is one, an orphan.

use std::sync::Arc;

use ::s3::serde_types::Part;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::blobs::BlobWriter;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::Inner;
use super::trouble::{Reason, Trouble};
use super::wire::MEDIA;
use crate::trouble::damaged;

/// Parts that an object can have.
const MOST_PARTS: usize = 10_000;
/// Bytes beyond which memory for a whole part is taken at once.
const SMALL: usize = 1 << 20;

/// One object on its way.
pub(super) struct Writer {
    inner: Arc<Inner>,
    key: String,
    gathered: BytesMut,
    size: u64,
    upload: Option<Upload>,
    /// Whether every write so far came to its end.
    sound: bool,
}

impl Writer {
    pub(super) fn new(inner: Arc<Inner>, key: String) -> Self {
        Self {
            inner,
            key,
            gathered: BytesMut::new(),
            size: 0,
            upload: None,
            sound: true,
        }
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), Fault> {
        if !std::mem::replace(&mut self.sound, false) {
            return Err(unsound());
        }
        while !chunk.is_empty() {
            let room = self.inner.part_bytes.saturating_sub(self.gathered.len());
            if room == 0 {
                self.send_part().await?;
                continue;
            }
            let piece = chunk.split_to(room.min(chunk.len()));
            if self.gathered.len() + piece.len() > SMALL {
                self.gathered.reserve(room);
            }
            self.gathered.extend_from_slice(&piece);
            self.size += piece.len() as u64;
        }
        self.sound = true;
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), Fault> {
        let body = std::mem::take(&mut self.gathered).freeze();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(Upload::begin(Arc::clone(&self.inner), self.key.clone()).await?),
        };
        upload.send(body).await
    }

    async fn finish(mut self) -> Result<u64, Fault> {
        if !self.sound {
            return Err(unsound());
        }
        if self.upload.is_none() {
            let (inner, body) = (Arc::clone(&self.inner), self.gathered.freeze());
            let put = self
                .inner
                .io
                .spawn(async move { inner.wire.put(&self.key, body, None).await });
            put.await.map_err(crashed)??;
            return Ok(self.size);
        }
        self.send_part().await?;
        if let Some(upload) = self.upload {
            upload.complete(self.size).await?;
        }
        Ok(self.size)
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Fault> {
        let io = self.inner.io.clone();
        io.enter(self.take(chunk)).await
    }

    async fn commit(self: Box<Self>) -> Result<u64, Fault> {
        let io = self.inner.io.clone();
        io.enter(self.finish()).await
    }
}

/// An object that comes in parts. Dropped before it is complete, its parts are removed.
struct Upload {
    inner: Arc<Inner>,
    key: String,
    id: String,
    parts: Vec<Part>,
    /// The part under way.
    flying: Option<JoinHandle<Result<Part, Trouble>>>,
    complete: bool,
}

impl Upload {
    async fn begin(inner: Arc<Inner>, key: String) -> Result<Self, Fault> {
        let begun = inner.wire.handle.initiate_multipart_upload(&key, MEDIA);
        let id = inner
            .wire
            .within(inner.wire.patience.idle, begun)
            .await?
            .upload_id;
        inner.living().insert(id.clone());
        Ok(Self {
            inner,
            key,
            id,
            parts: Vec::new(),
            flying: None,
            complete: false,
        })
    }

    /// Sends a part off, once the one before has arrived.
    async fn send(&mut self, body: Bytes) -> Result<(), Fault> {
        self.landed().await?;
        let number = self.parts.len() + 1;
        let part_number = u32::try_from(number).ok().filter(|_| number <= MOST_PARTS);
        let part_number = part_number.ok_or_else(|| {
            let what = "the object has more parts than S3 takes; s3.part_bytes is too small for it";
            Fault::new(Kind::TooLarge, what)
        })?;
        let (inner, key, id) = (Arc::clone(&self.inner), self.key.clone(), encoded(&self.id));
        self.flying = Some(self.inner.io.spawn(async move {
            let etag = inner.wire.put(&key, body, Some((part_number, &id))).await?;
            Ok(Part { part_number, etag })
        }));
        Ok(())
    }

    /// Waits for the part under way.
    async fn landed(&mut self) -> Result<(), Fault> {
        if let Some(flying) = &mut self.flying {
            let part = flying.await;
            self.flying = None;
            self.parts.push(part.map_err(crashed)??);
        }
        Ok(())
    }

    /// Joins the parts, and sees that the object has the size it should have.
    async fn complete(mut self, size: u64) -> Result<(), Fault> {
        self.landed().await?;
        let (wire, id) = (&self.inner.wire, encoded(&self.id));
        let parts = std::mem::take(&mut self.parts);
        let joined = wire.handle.complete_multipart_upload(&self.key, &id, parts);
        wire.within(wire.patience.joining, joined).await?;
        self.complete = true;
        match self.inner.size(&self.key).await? {
            Some(found) if found == size => Ok(()),
            found => {
                let cause = format!("{size} bytes were written, {found:?} are there");
                Err(Trouble::new(Reason::Other, cause).into())
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (inner, id) = (Arc::clone(&self.inner), std::mem::take(&mut self.id));
        if self.complete {
            inner.living().remove(&id);
            return;
        }
        let (key, flying) = (std::mem::take(&mut self.key), self.flying.take());
        let removal = async move {
            if let Some(flying) = flying {
                flying.abort();
                drop(flying.await);
            }
            if let Err(trouble) = inner.abort(&key, &id).await {
                let error = Fault::from(trouble);
                log::warn!(error:?; "the parts of an object stay behind until the next sweep");
            }
            inner.living().remove(&id);
        };
        drop(self.inner.io.spawn(removal));
    }
}

/// The id as it stands in a query; the library puts it there as it is.
pub(super) fn encoded(id: &str) -> String {
    ::s3::signing::uri_encode(id, true)
}

fn unsound() -> Fault {
    damaged(
        "an object is written on after a failure",
        "a write did not come to its end",
    )
}

fn crashed(error: impl std::fmt::Display) -> Fault {
    damaged("a transfer to the object store crashed", error)
}
