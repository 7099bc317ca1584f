//! Reads JSON pages. A known member of the wrong type is passed on like an unknown one; `null` means absent.

use std::fmt;
use std::marker::PhantomData;

use artifactapi_core::Fault;
use serde::de::{Deserialize, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::kit::document::{broken, trimmed};
use crate::kit::fields::{Fields, Text, is_null, object, text};
use crate::pypi::page::{File, Hashes, Meta, Page, Project, Root, Sidecar, Status, Yanked};

/// Reads a project's page.
pub(in crate::pypi) fn page(bytes: &[u8]) -> Result<Page<'_>, Fault> {
    let document: Document<'_, File<'_>> = document(bytes, "files")?;
    let mut page = Page {
        meta: document.meta,
        files: document.list,
        rest: document.rest,
        ..Page::default()
    };
    page.rest.0.retain(|(name, value)| match &**name {
        "name" => take(&mut page.name, value, text),
        "project-status" => !claim(&mut page.status, value, status),
        _ => true,
    });
    Ok(page)
}

/// Reads the list of projects.
pub(in crate::pypi) fn root(bytes: &[u8]) -> Result<Root<'_>, Fault> {
    let document: Document<'_, Project<'_>> = document(bytes, "projects")?;
    Ok(Root {
        meta: document.meta,
        projects: document.list,
        rest: document.rest,
    })
}

fn document<'a, T: Item<'a>>(bytes: &'a [u8], list: &'static str) -> Result<Document<'a, T>, Fault> {
    let mut json = serde_json::Deserializer::from_slice(trimmed(bytes));
    json.deserialize_map(Members::<T> {
        list,
        items: PhantomData,
    })
    .and_then(|document| json.end().map(|()| document))
    .map_err(|cause| broken("upstream's index is no page of the simple API").because(cause))
}

/// An object with `meta` and one long list.
struct Document<'a, T> {
    meta: Meta<'a>,
    list: Vec<T>,
    rest: Fields<'a>,
}

/// Something that lists are made of.
trait Item<'a>: Sized {
    /// The item that an object describes; `None` if it lacks what makes it one.
    fn read(fields: Fields<'a>) -> Option<Self>;
}

/// Reads a [`Document`] in one pass.
struct Members<T> {
    list: &'static str,
    items: PhantomData<T>,
}

impl<'de, T: Item<'de>> Visitor<'de> for Members<T> {
    type Value = Document<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut meta = Meta::default();
        let mut list = None;
        let mut rest = Fields::default();
        while let Some(Text(name)) = map.next_key()? {
            if name == self.list {
                let Items(items) = map.next_value()?;
                list = Some(items);
            } else if name == "meta" {
                meta = read_meta(map.next_value()?);
            } else {
                rest.0.push((name, map.next_value()?));
            }
        }
        let list = list.ok_or_else(|| A::Error::missing_field(self.list))?;
        Ok(Document { meta, list, rest })
    }
}

/// A list without the members that are no items.
struct Items<T>(Vec<T>);

impl<'de, T: Item<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List(PhantomData)).map(Items)
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Item<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(fields) = seq.next_element()? {
            items.extend(T::read(fields));
        }
        Ok(items)
    }
}

impl<'a> Item<'a> for Project<'a> {
    fn read(mut fields: Fields<'a>) -> Option<Self> {
        let mut name = None;
        fields
            .0
            .retain(|(member, value)| member != "name" || take(&mut name, value, text));
        Some(Self {
            name: name?,
            rest: fields,
        })
    }
}

impl<'a> Item<'a> for File<'a> {
    fn read(mut fields: Fields<'a>) -> Option<Self> {
        let mut file = Self::default();
        let (mut name, mut url, mut hashes, mut old_metadata) = (None, None, None, None);
        fields.0.retain(|(member, value)| match &**member {
            "filename" => take(&mut name, value, text),
            "url" => take(&mut url, value, text),
            "hashes" => take(&mut hashes, value, read_hashes),
            "requires-python" => !claim(&mut file.requires_python, value, text),
            "core-metadata" => !claim(&mut file.metadata, value, sidecar),
            "dist-info-metadata" => {
                old_metadata = sidecar(value);
                true
            }
            "gpg-sig" => !claim(&mut file.signed, value, flag),
            "yanked" => !claim(&mut file.yanked, value, yanked),
            "size" => !claim(&mut file.size, value, number),
            "upload-time" => !claim(&mut file.upload_time, value, text),
            "provenance" => !claim(&mut file.provenance, value, text),
            _ => true,
        });
        file.metadata = file.metadata.or(old_metadata);
        file.hashes = hashes.unwrap_or_default();
        file.name = name?;
        file.url = url?;
        file.rest = fields;
        Some(file)
    }
}

/// Fills a slot from a member. `false` if the value is of another type; then it passes through.
fn claim<'a, T>(
    slot: &mut Option<T>,
    value: &'a RawValue,
    read: impl FnOnce(&'a RawValue) -> Option<T>,
) -> bool {
    let found = read(value);
    let claimed = found.is_some() || is_null(value);
    if found.is_some() {
        *slot = found;
    }
    claimed
}

/// Fills a slot from a member that we write ourselves in any case: `false`, because it never passes through.
fn take<'a, T>(
    slot: &mut Option<T>,
    value: &'a RawValue,
    read: impl FnOnce(&'a RawValue) -> Option<T>,
) -> bool {
    if let Some(found) = read(value) {
        *slot = Some(found);
    }
    false
}

fn read_meta(value: &RawValue) -> Meta<'_> {
    let mut meta = Meta {
        rest: object(value).unwrap_or_default(),
        ..Meta::default()
    };
    meta.rest
        .0
        .retain(|(name, value)| name != "api-version" || take(&mut meta.api_version, value, text));
    meta
}

fn status(value: &RawValue) -> Option<Status<'_>> {
    let mut rest = object(value)?;
    let (mut word, mut reason) = (None, None);
    rest.0.retain(|(name, value)| match &**name {
        "status" => take(&mut word, value, text),
        "reason" => !claim(&mut reason, value, text),
        _ => true,
    });
    Some(Status {
        word: word?,
        reason,
        rest,
    })
}

fn read_hashes(value: &RawValue) -> Option<Hashes<'_>> {
    let fields = object(value)?;
    fields
        .0
        .into_iter()
        .map(|(name, value)| Some((name, text(value)?)))
        .collect()
}

fn sidecar(value: &RawValue) -> Option<Sidecar<'_>> {
    match flag(value) {
        Some(true) => Some(Sidecar::Yes),
        Some(false) => Some(Sidecar::No),
        None => read_hashes(value).map(Sidecar::Hashed),
    }
}

fn yanked(value: &RawValue) -> Option<Yanked<'_>> {
    match flag(value) {
        Some(true) => Some(Yanked::Yes),
        Some(false) => Some(Yanked::No),
        None => text(value).map(Yanked::Because),
    }
}

fn flag(value: &RawValue) -> Option<bool> {
    match value.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn number(value: &RawValue) -> Option<u64> {
    value.get().parse().ok()
}
