//! Writes HTML pages, one anchor a line.

use artifactapi_core::Time;

use super::best;
use crate::pypi::names;
use crate::pypi::page::{File, Meta, Page, Root, Sidecar, Yanked};

/// A project's page, every distribution below our own `packages/`. Files of other kinds have no place in HTML: a reader
/// could not tell them from decoration.
pub(in crate::pypi) fn write_page(page: &Page<'_>, project: &str, out: &mut Vec<u8>) {
    let title = format!("Links for {project}");
    begin(out, &page.meta);
    if let Some(status) = &page.status {
        meta(out, "pypi:project-status", &status.word);
        if let Some(reason) = &status.reason {
            meta(out, "pypi:project-status-reason", reason);
        }
    }
    body(out, &title);
    for found in page
        .files
        .iter()
        .filter(|file| names::is_distribution(&file.name))
    {
        file(out, found, project);
    }
    end(out);
}

/// The list of projects.
pub(in crate::pypi) fn write_root(root: &Root<'_>, out: &mut Vec<u8>) {
    begin(out, &root.meta);
    body(out, "Simple index");
    for project in &root.projects {
        let Some(normal) = names::normalised(&project.name) else {
            continue;
        };
        put(out, &["<a href=\"", &normal, "/\">"]);
        escaped(out, &project.name);
        put(out, &["</a><br>\n"]);
    }
    end(out);
}

fn begin(out: &mut Vec<u8>, page: &Meta<'_>) {
    put(
        out,
        &["<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n"],
    );
    meta(out, "pypi:repository-version", page.version());
}

fn body(out: &mut Vec<u8>, title: &str) {
    put(
        out,
        &[
            "<title>",
            title,
            "</title>\n</head>\n<body>\n<h1>",
            title,
            "</h1>\n",
        ],
    );
}

fn end(out: &mut Vec<u8>) {
    put(out, &["</body>\n</html>\n"]);
}

fn meta(out: &mut Vec<u8>, name: &str, content: &str) {
    put(out, &["<meta name=\"", name, "\""]);
    attribute(out, "content", content);
    put(out, &[">\n"]);
}

fn file(out: &mut Vec<u8>, file: &File<'_>, project: &str) {
    let url = names::relative_url(project, &file.name);
    put(out, &["<a href=\""]);
    escaped(out, &url);
    if let Some((name, value)) = best(&file.hashes) {
        put(out, &["#", name, "=", value]);
    }
    put(out, &["\""]);
    if let Some(value) = &file.requires_python {
        attribute(out, "data-requires-python", value);
    }
    let time = file.upload_time.as_deref();
    if let Some(value) = time.filter(|time| Time::parse_rfc3339(time).is_some()) {
        attribute(out, "data-upload-time", value);
    }
    metadata(out, file.metadata.as_ref());
    if let Some(signed) = file.signed {
        attribute(out, "data-gpg-sig", if signed { "true" } else { "false" });
    }
    match &file.yanked {
        None | Some(Yanked::No) => {}
        Some(Yanked::Yes) => attribute(out, "data-yanked", ""),
        Some(Yanked::Because(reason)) => attribute(out, "data-yanked", reason),
    }
    if file.provenance.is_some() {
        attribute(out, "data-provenance", &format!("{url}{}", names::PROVENANCE));
    }
    put(out, &[">"]);
    escaped(out, &file.name);
    put(out, &["</a><br>\n"]);
}

/// Core metadata under its name of today and under the one that older clients look for (PEP 714).
fn metadata(out: &mut Vec<u8>, found: Option<&Sidecar<'_>>) {
    let value = match found {
        None | Some(Sidecar::No) => return,
        Some(Sidecar::Yes) => "true".to_owned(),
        Some(Sidecar::Hashed(hashes)) => {
            best(hashes).map_or_else(|| "true".to_owned(), |(name, value)| format!("{name}={value}"))
        }
    };
    attribute(out, "data-core-metadata", &value);
    attribute(out, "data-dist-info-metadata", &value);
}

fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    put(out, &[" ", name, "=\""]);
    escaped(out, value);
    put(out, &["\""]);
}

/// Text for element content and quoted attributes. A carriage return would be read back as a line feed, NUL not at all.
fn escaped(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\r' => out.extend_from_slice(b"&#13;"),
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            _ => out.push(byte),
        }
    }
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
