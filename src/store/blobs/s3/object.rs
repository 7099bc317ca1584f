//! What is asked of the bucket and of one object.

use std::ops::Range;

use ::s3::command::Command;
use artifactapi_core::Time;
use artifactapi_core::fault::Fault;
use artifactapi_core::port::ByteStream;
use bytes::Bytes;

use super::trouble::{Reason, Trouble};
use super::{Inner, read};

impl Inner {
    /// Lists the bucket, and writes and removes an object unless nothing may be changed.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        self.page(&self.prefix, None, None, 1).await.map_err(|trouble| {
            // A server that knows no bucket of this name may say so without a body.
            match trouble.reason {
                Reason::NotFound => Trouble::new(Reason::NoBucket, "404 to a listing"),
                _ => trouble,
            }
        })?;
        if self.read_only {
            return Ok(());
        }
        let key = format!("{}probe/{}", self.prefix, uuid::Uuid::now_v7().simple());
        self.wire.put(&key, Bytes::from_static(b"probe"), None).await?;
        self.wire.ask(&key, Command::DeleteObject).await?;
        Ok(())
    }

    /// Size of the object with this key.
    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, Fault> {
        match self.wire.ask(key, Command::HeadObject).await {
            Ok(answer) => Ok(Some(read::length(&answer)?)),
            Err(trouble) => match trouble.reason {
                Reason::NoObject => Ok(None),
                // It may have come meanwhile; a listing that is late with what has gone is believed, too.
                Reason::NotFound => self.listed(key).await,
                _ => Err(trouble.into()),
            },
        }
    }

    /// Makes sure that trouble with an object means that there is no such object.
    async fn absent(&self, key: &str, trouble: Trouble) -> Result<(), Fault> {
        match trouble.reason {
            Reason::NoObject => Ok(()),
            Reason::NotFound if self.listed(key).await?.is_none() => Ok(()),
            _ => Err(trouble.into()),
        }
    }

    /// The size of an object as a listing has it. An answer to HEAD has no body, and its 404 may mean the bucket: one that
    /// was lost must not look like one in which every object is missing.
    async fn listed(&self, key: &str) -> Result<Option<u64>, Fault> {
        let page = self.page(key, None, None, 1).await?;
        let found = page.contents.iter().find(|found| found.key == key);
        Ok(found.map(|found| found.size))
    }

    pub(super) async fn open(
        &self,
        key: &str,
        span: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, Fault> {
        let command = match &span {
            None => Command::GetObject,
            Some(span) if span.is_empty() => {
                let size = self.size(key).await?;
                return Ok(size.filter(|size| span.end <= *size).map(|_| read::nothing()));
            }
            Some(span) => Command::GetObjectRange {
                start: span.start,
                end: Some(span.end - 1),
            },
        };
        let answer = match self.wire.ask(key, command).await {
            Ok(answer) => answer,
            Err(trouble) if trouble.reason == Reason::OutOfRange => return Ok(None),
            Err(trouble) => return self.absent(key, trouble).await.map(|()| None),
        };
        let length = read::length(&answer)?;
        if let Some(span) = span {
            if answer.status() != 206 && (span.start > 0 || length != span.end) {
                return Err(Trouble::new(Reason::Stranger, "a whole body where a range was asked").into());
            }
            if length != span.end - span.start {
                return Ok(None);
            }
        }
        Ok(Some(read::body(
            &self.io,
            answer,
            length,
            self.wire.patience.idle,
        )))
    }

    pub(super) async fn delete(&self, key: &str) -> Result<bool, Fault> {
        // The answer to DELETE is the same whether there was an object or not.
        if self.size(key).await?.is_none() {
            return Ok(false);
        }
        self.wire.ask(key, Command::DeleteObject).await?;
        Ok(true)
    }

    pub(super) async fn sweep(&self, older_than: Time) -> Result<u64, Fault> {
        let mut swept = 0;
        for begun in self.abandoned(older_than).await? {
            self.abort(&begun.key, &begun.id).await?;
            swept += 1;
        }
        Ok(swept)
    }
}
