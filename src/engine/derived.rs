//! Derived documents: the served form of a stored index, made once and kept by what it depends on.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::Entry;
use artifactapi_core::plan::Want;
use artifactapi_core::port::ReadSeek;
use artifactapi_formats::{Derived, Format, Source};
use artifactapi_store::memo::Memos;
use bytes::Bytes;
use moka::sync::Cache;
use url::Url;

use crate::Shared;
use crate::obtain::Document;
use crate::table::Mount;

/// Counts changes of the derivation rules; part of every key, so that an upgrade serves nothing made by older rules.
const RULES: u32 = 1;
/// Smaller documents are made again as fast as they are read from the disk.
const LARGE: usize = 64 << 10;

/// What a derived document depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DerivedKey {
    package_type: &'static str,
    source: Digest,
    /// Its media type.
    media: String,
    /// Relative references in the source resolve against it.
    url: Option<String>,
    key: String,
    show: &'static str,
    rules: u32,
}

/// A document as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The stored bytes, as they are.
    Source,
    /// Bytes of our own, with their validator.
    Made {
        media: Arc<str>,
        body: Bytes,
        etag: Arc<str>,
    },
}

/// Pages by what they depend on: in memory, bounded by bytes, and the large ones on the disk, too.
#[derive(Clone)]
pub(crate) struct Pages {
    memory: Cache<DerivedKey, Page>,
    disk: Arc<Memos>,
}

impl Pages {
    /// Pages of at most `bytes` in memory, over what is on the disk.
    pub(crate) fn new(bytes: u64, disk: Arc<Memos>) -> Self {
        let weigh = |_: &DerivedKey, page: &Page| match page {
            Page::Source => 256,
            Page::Made { body, .. } => u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(512),
        };
        Self {
            memory: Cache::builder().max_capacity(bytes).weigher(weigh).build(),
            disk,
        }
    }

    /// The page if it was made before; one of many reads it, the others wait. Blocks.
    fn made_before(&self, key: DerivedKey) -> Option<Page> {
        let name = key.name();
        let read = || Page::from_memo(&self.disk.get(&name)?);
        self.memory.optionally_get_with(key, read)
    }

    /// The page, made by `derive` if it was not before; one of many makes it, the others wait. Blocks.
    fn page(&self, key: DerivedKey, derive: impl FnOnce() -> Result<Page, Fault>) -> Result<Page, Fault> {
        let name = key.name();
        let made = self.memory.try_get_with(key, || {
            let page = derive()?;
            if let Some(memo) = page.memo() {
                self.disk.put(&name, &memo);
            }
            Ok(page)
        });
        made.map_err(|fault: Arc<Fault>| Fault::clone(&fault))
    }
}

impl DerivedKey {
    /// What it is called on the disk.
    fn name(&self) -> Digest {
        // Other versions of the program may make it otherwise.
        Digest::sha256(format!("{}{self:?}", env!("CARGO_PKG_VERSION")).as_bytes())
    }
}

impl Page {
    fn made(media: Arc<str>, body: Bytes) -> Self {
        let etag = format!("\"d-{}\"", Digest::sha256(&body).hex());
        Self::Made {
            media,
            body,
            etag: etag.into(),
        }
    }

    /// As it is kept on the disk, if that is worth it: the media type, a line end, the bytes.
    fn memo(&self) -> Option<Vec<u8>> {
        match self {
            Self::Made { media, body, .. } if body.len() >= LARGE => {
                Some([media.as_bytes(), b"\n", body.as_ref()].concat())
            }
            _ => None,
        }
    }

    fn from_memo(memo: &Bytes) -> Option<Self> {
        let end = memo.iter().position(|byte| *byte == b'\n')?;
        let media = std::str::from_utf8(memo.get(..end)?).ok()?.into();
        Some(Self::made(media, memo.slice(end + 1..)))
    }
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
        media: made_of.media.clone(),
        url: made_of.url.as_ref().map(Url::to_string),
        key: want.key.as_str().to_owned(),
        show: want.show.0,
        rules: RULES,
    };
    if let Some(page) = shared.pages.memory.get(&key) {
        return Ok(page);
    }
    let (pages, before) = (shared.pages.clone(), key.clone());
    if let Some(page) = crate::blocking(move || Ok(pages.made_before(before))).await? {
        return Ok(page);
    }
    let source = open(shared, document).await?;
    let (pages, format, want) = (shared.pages.clone(), mount.format, want.clone());
    crate::blocking(move || pages.page(key, || made_of.derive(format, &want, source))).await
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
            Derived::Bytes { media, body } => Page::made(media.into(), body.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(show: &'static str) -> DerivedKey {
        DerivedKey {
            package_type: "pypi",
            source: Digest::sha256(b"source"),
            media: "text/html".to_owned(),
            url: Some("http://up.example/simple/x/".to_owned()),
            key: "simple/x/".to_owned(),
            show,
            rules: RULES,
        }
    }

    fn page(pages: &Pages, show: &'static str, size: usize) -> Page {
        let make = || Ok(Page::made("text/html".into(), vec![b'x'; size].into()));
        pages.page(key(show), make).unwrap()
    }

    #[test]
    fn a_large_page_outlives_the_process_with_its_media_type_and_validator() {
        let dir = tempfile::tempdir().unwrap();
        let pages = || Pages::new(1 << 20, Arc::new(Memos::open(dir.path().to_owned(), 1 << 20)));
        let before = pages();
        let made = page(&before, "html", LARGE);
        page(&before, "json", LARGE - 1);
        let after = pages();
        assert_eq!(after.made_before(key("html")), Some(made));
        assert_eq!(after.made_before(key("json")), None, "small ones are made again");
        assert_eq!(after.made_before(key("other")), None);
        assert!(
            after.memory.contains_key(&key("html")),
            "once read it is in memory"
        );
    }
}
