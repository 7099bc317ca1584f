//! Derived documents: the served form of a stored index, made once and kept by what it depends on.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::Entry;
use artifactapi_core::plan::Want;
use artifactapi_core::port::ReadSeek;
use artifactapi_formats::{Derived, Format, Source};
use bytes::Bytes;
use moka::sync::Cache;
use url::Url;

use crate::Shared;
use crate::obtain::Document;
use crate::table::Mount;

/// Counts changes of the derivation rules; part of every key, so that an upgrade serves nothing made by older rules.
const RULES: u32 = 1;

/// What a derived document depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DerivedKey {
    package_type: &'static str,
    source: Digest,
    /// Relative references in the source resolve against it.
    url: Option<String>,
    key: String,
    show: &'static str,
    rules: u32,
}

/// A document as it is served.
#[derive(Clone)]
pub(crate) enum Page {
    /// The stored bytes, as they are.
    Source,
    /// Bytes of our own, with their validator.
    Made {
        media: &'static str,
        body: Bytes,
        etag: Arc<str>,
    },
}

/// Pages by what they depend on, bounded by bytes.
pub(crate) type Pages = Cache<DerivedKey, Page>;

/// A cache of at most `bytes` of pages.
pub(crate) fn pages(bytes: u64) -> Pages {
    let weigh = |_: &DerivedKey, page: &Page| match page {
        Page::Source => 256,
        Page::Made { body, .. } => u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(512),
    };
    Cache::builder().max_capacity(bytes).weigher(weigh).build()
}

/// The served form of a document.
pub(crate) async fn page(
    shared: &Shared,
    mount: &Mount,
    want: &Want,
    document: &Document,
) -> Result<Page, Fault> {
    let made_of = MadeOf::new(document);
    let key = DerivedKey {
        package_type: mount.format.describe().name,
        source: made_of.digest.clone(),
        url: made_of.url.as_ref().map(Url::to_string),
        key: want.key.as_str().to_owned(),
        show: want.show.0,
        rules: RULES,
    };
    if let Some(page) = shared.pages.get(&key) {
        return Ok(page);
    }
    let source = open(shared, document).await?;
    let (pages, format, want) = (shared.pages.clone(), mount.format, want.clone());
    // `try_get_with` lets one of many derive; the others wait on the blocking pool.
    let made = crate::blocking(move || {
        pages
            .try_get_with(key, || made_of.derive(format, &want, source))
            .map_err(|fault| Fault::clone(&fault))
    });
    made.await
}

async fn open(shared: &Shared, document: &Document) -> Result<Box<dyn ReadSeek>, Fault> {
    match document {
        Document::Stored(entry) => match shared.blobs.source(&entry.object).await? {
            Some(source) => Ok(source),
            None => Err(shared.lost(entry).await),
        },
        Document::Spooled(fetched) => Ok(fetched.spool.source()),
    }
}

struct MadeOf {
    url: Option<Url>,
    media: String,
    digest: Digest,
}

impl MadeOf {
    fn new(document: &Document) -> Self {
        match document {
            Document::Stored(entry) => Self::stored(entry),
            Document::Spooled(fetched) => Self {
                url: Some(fetched.head.url.clone()),
                media: fetched
                    .head
                    .headers
                    .get("content-type")
                    .unwrap_or_default()
                    .to_owned(),
                digest: fetched.digests.sha256.clone(),
            },
        }
    }

    fn stored(entry: &Entry) -> Self {
        let url = entry.source_url.as_ref().and_then(|url| url.parse().ok());
        Self {
            url,
            media: entry.media.clone(),
            digest: entry.digest.clone(),
        }
    }

    fn derive(
        &self,
        format: &dyn Format,
        want: &Want,
        mut document: Box<dyn ReadSeek>,
    ) -> Result<Page, Fault> {
        let source = Source {
            url: self.url.as_ref(),
            media: &self.media,
            digest: &self.digest,
        };
        Ok(match format.derive(want, &mut document, &source)? {
            Derived::Source => Page::Source,
            Derived::Bytes { media, body } => {
                let etag = format!("\"d-{}\"", Digest::sha256(&body).hex());
                Page::Made {
                    media,
                    body: body.into(),
                    etag: etag.into(),
                }
            }
        })
    }
}
