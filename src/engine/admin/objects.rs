//! Objects of a repository, page by page.

use artifactapi_api::objects::{ObjectItem, ObjectPage, ObjectQuery};
use artifactapi_core::Time;
use artifactapi_core::port::catalog::{Listed, Page};

use super::{Admin, Refused, Stored};

/// Objects of a page when nothing is said.
const USUAL: u32 = 100;
/// Most objects of a page.
const MOST: u32 = 1_000;

impl Admin {
    /// A page of a repository's objects, in byte order of their paths.
    pub async fn objects<S: Stored>(&self, name: &str, query: &ObjectQuery) -> Result<ObjectPage, Refused> {
        let limit = query.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Refused::field("limit", format!("must be 1 to {MOST}")));
        }
        let after = match &query.after {
            Some(cursor) => Some(
                read_cursor(cursor)
                    .ok_or_else(|| Refused::field("after", "is not a `next` of this listing"))?,
            ),
            None => None,
        };
        let repository = self.find::<S>(name).await?;
        let page = Page {
            prefix: query.prefix.clone(),
            search: query.search.clone(),
            after,
            // One more than asked for tells whether there is a next page.
            limit: limit + 1,
        };
        let mut listed = self.parts.catalog.page(repository.id, &page).await?;
        let more = listed.len() > limit as usize;
        listed.truncate(limit as usize);
        Ok(ObjectPage {
            next: listed.last().filter(|_| more).map(cursor),
            items: listed.into_iter().map(item).collect(),
        })
    }
}

fn item(listed: Listed) -> ObjectItem {
    let Listed { entry, usage } = listed;
    ObjectItem {
        path: entry.id.key.as_str().to_owned(),
        variant: entry.id.variant,
        size: entry.size,
        digest: entry.digest.to_string(),
        content_type: entry.media,
        class: entry.lifetime.as_str().to_owned(),
        fetched_at: entry.fetched_at.rfc3339(),
        expires_at: entry.expires_at.map(Time::rfc3339),
        last_access: (usage.hits > 0).then(|| usage.last_access.rfc3339()),
        hits: usage.hits,
    }
}

/// Where a page ended: key and variant, between which no key has a NUL.
fn cursor(last: &Listed) -> String {
    let id = &last.entry.id;
    hex::encode(format!("{}\0{}", id.key, id.variant))
}

fn read_cursor(cursor: &str) -> Option<(String, String)> {
    let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
    let (key, variant) = text.split_once('\0')?;
    Some((key.to_owned(), variant.to_owned()))
}

#[cfg(test)]
mod tests {
    use artifactapi_core::digest::Digest;
    use artifactapi_core::entry::{Entry, EntryKey, Lifetime, Use};
    use artifactapi_core::headers::Headers;
    use artifactapi_core::key::{Key, ObjectName};
    use artifactapi_core::repository::RepoId;
    use uuid::Uuid;

    use super::*;

    fn listed(key: &str, variant: &str) -> Listed {
        let id = EntryKey {
            repo: RepoId(Uuid::nil()),
            key: Key::new(key).unwrap(),
            variant: variant.to_owned(),
        };
        let entry = Entry {
            id,
            digest: Digest::sha256(b"x"),
            object: ObjectName::stored("blobs/x"),
            size: 1,
            lifetime: Lifetime::Immutable,
            media: "text/plain".into(),
            etag: None,
            last_modified: None,
            kept: Headers::new(),
            source_url: None,
            proven: true,
            fetched_at: Time(0),
            validated_at: Time(0),
            expires_at: None,
        };
        Listed {
            entry,
            usage: Use::default(),
        }
    }

    #[test]
    fn a_cursor_gives_key_and_variant_back_and_others_are_refused() {
        for (key, variant) in [("a/b c.txt", ""), ("ü/a%2Fb", "json")] {
            let read = read_cursor(&cursor(&listed(key, variant)));
            assert_eq!(read, Some((key.to_owned(), variant.to_owned())));
        }
        for bad in ["", "zz", "61", "ff00"] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_object_that_was_never_used_has_no_last_access() {
        let item = item(listed("a", ""));
        assert_eq!((item.last_access, item.hits, item.expires_at), (None, 0, None));
        assert_eq!(item.class, "immutable");
    }
}
