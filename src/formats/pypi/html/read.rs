//! Reads HTML pages: anchors with their attributes. Anything else in the document is decoration.

use std::borrow::Cow;

use artifactapi_core::Time;
use percent_encoding::percent_decode_str;

use super::is_hash;
use super::tags::{Attributes, Tag, tags};
use crate::kit::fields::Fields;
use crate::pypi::names;
use crate::pypi::page::{File, Hashes, Meta, Page, Project, Root, Sidecar, Status, Yanked};

/// Reads a project's page.
pub(in crate::pypi) fn page(html: &[u8]) -> Page<'static> {
    let mut page = Page {
        was_html: true,
        ..Page::default()
    };
    for tag in tags(html) {
        match tag {
            Tag::Base(mut found) if page.base.is_none() => page.base = found.take("href").map(Cow::Owned),
            Tag::Meta(found) => read_meta(found, &mut page.meta, Some(&mut page.status)),
            Tag::Anchor(found) => page.files.extend(file(found)),
            Tag::Base(_) | Tag::Text(_) => {}
        }
    }
    page.status.take_if(|status| status.word.is_empty());
    page
}

/// Reads the list of projects; their names are the anchors' texts.
pub(in crate::pypi) fn root(html: &[u8]) -> Root<'static> {
    let mut root = Root::default();
    for tag in tags(html) {
        match tag {
            Tag::Meta(found) => read_meta(found, &mut root.meta, None),
            Tag::Text(text) => root.projects.push(Project {
                name: Cow::Owned(text.trim().to_owned()),
                rest: Fields::default(),
            }),
            Tag::Base(_) | Tag::Anchor(_) => {}
        }
    }
    root
}

fn read_meta(mut found: Attributes, meta: &mut Meta<'static>, status: Option<&mut Option<Status<'static>>>) {
    let content = found.take("content").map(Cow::Owned);
    match (found.get("name"), status) {
        (Some("pypi:repository-version"), _) => meta.api_version = content,
        (Some("pypi:project-status"), Some(status)) => {
            status.get_or_insert_default().word = content.unwrap_or_default();
        }
        (Some("pypi:project-status-reason"), Some(status)) => {
            status.get_or_insert_default().reason = content;
        }
        _ => {}
    }
}

/// The distribution that an anchor leads to, if it leads to one.
fn file(mut found: Attributes) -> Option<File<'static>> {
    let href = found.take("href")?;
    let reference = href.trim_ascii();
    let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let name = file_name(url)?;
    let metadata = found
        .take("data-core-metadata")
        .or_else(|| found.take("data-dist-info-metadata"));
    Some(File {
        name: Cow::Owned(name),
        url: Cow::Owned(url.to_owned()),
        hashes: fragment.split('&').filter_map(hash).collect(),
        requires_python: found.take("data-requires-python").map(Cow::Owned),
        metadata: metadata.and_then(|value| sidecar(&value)),
        signed: found.take("data-gpg-sig").and_then(|value| value.parse().ok()),
        yanked: found.take("data-yanked").map(yanked),
        size: None,
        upload_time: found
            .take("data-upload-time")
            .filter(|time| Time::parse_rfc3339(time).is_some())
            .map(Cow::Owned),
        provenance: found.take("data-provenance").map(Cow::Owned),
        rest: Fields::default(),
    })
}

/// The last segment of a reference's path, decoded, if it is a distribution's name.
fn file_name(reference: &str) -> Option<String> {
    let path = reference.split('?').next()?;
    let name = path.rsplit('/').next()?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    names::is_distribution(&name).then(|| name.into_owned())
}

/// A hash written `name=value`.
fn hash(text: &str) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (name, value) = text.split_once('=')?;
    is_hash(name, value).then(|| (Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned())))
}

fn sidecar(value: &str) -> Option<Sidecar<'static>> {
    match value {
        "true" => Some(Sidecar::Yes),
        "false" => Some(Sidecar::No),
        _ => {
            let hashes: Hashes<'static> = vec![hash(value)?];
            Some(Sidecar::Hashed(hashes))
        }
    }
}

fn yanked(reason: String) -> Yanked<'static> {
    if reason.is_empty() {
        Yanked::Yes
    } else {
        Yanked::Because(Cow::Owned(reason))
    }
}
