//! Writes JSON pages: known members first and in one order, then the others as they came.

use crate::kit::fields::{Fields, string};
use crate::pypi::names;
use crate::pypi::page::{File, Hashes, OLDEST, Page, Root, Sidecar, Status, Yanked};

/// A project's page, every file below our own `packages/`.
pub(in crate::pypi) fn write_page(page: &Page<'_>, project: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    // From version 1.1 on, sizes and versions are mandatory (PEP 700).
    let version = if page.was_html {
        OLDEST
    } else {
        page.meta.version()
    };
    meta(out, version, &page.meta.rest);
    out.push(b',');
    text(out, "name", page.name.as_deref().unwrap_or(project));
    if let Some(found) = &page.status {
        status(out, found);
    }
    page.rest.write(out);
    list(out, "files", &page.files, |out, found| file(out, found, project));
    out.push(b'}');
}

/// The list of projects.
pub(in crate::pypi) fn write_root(root: &Root<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    meta(out, root.meta.version(), &root.meta.rest);
    root.rest.write(out);
    list(out, "projects", &root.projects, |out, project| {
        out.push(b'{');
        text(out, "name", &project.name);
        project.rest.write(out);
        out.push(b'}');
    });
    out.push(b'}');
}

fn meta(out: &mut Vec<u8>, version: &str, rest: &Fields<'_>) {
    out.extend_from_slice(b"\"meta\":{");
    text(out, "api-version", version);
    rest.write(out);
    out.push(b'}');
}

fn status(out: &mut Vec<u8>, status: &Status<'_>) {
    out.extend_from_slice(b",\"project-status\":{");
    text(out, "status", &status.word);
    if let Some(reason) = &status.reason {
        out.push(b',');
        text(out, "reason", reason);
    }
    status.rest.write(out);
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, name: &str, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b',');
    string(out, name);
    out.extend_from_slice(b":[");
    for (at, found) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item(out, found);
    }
    out.push(b']');
}

fn file(out: &mut Vec<u8>, file: &File<'_>, project: &str) {
    out.push(b'{');
    text(out, "filename", &file.name);
    out.push(b',');
    text(out, "url", &names::relative_url(project, &file.name));
    out.extend_from_slice(b",\"hashes\":");
    hashes(out, &file.hashes);
    optional(out, "requires-python", file.requires_python.as_deref());
    match &file.metadata {
        None => {}
        Some(Sidecar::No) => out.extend_from_slice(b",\"core-metadata\":false"),
        Some(Sidecar::Yes) => out.extend_from_slice(b",\"core-metadata\":true"),
        Some(Sidecar::Hashed(found)) => {
            out.extend_from_slice(b",\"core-metadata\":");
            hashes(out, found);
        }
    }
    if let Some(signed) = file.signed {
        literal(out, "gpg-sig", signed);
    }
    match &file.yanked {
        None => {}
        Some(Yanked::No) => literal(out, "yanked", false),
        Some(Yanked::Yes) => literal(out, "yanked", true),
        Some(Yanked::Because(reason)) => optional(out, "yanked", Some(reason)),
    }
    if let Some(size) = file.size {
        literal(out, "size", size);
    }
    optional(out, "upload-time", file.upload_time.as_deref());
    if file.provenance.is_some() {
        let name = format!("{}{}", file.name, names::PROVENANCE);
        optional(out, "provenance", Some(&names::relative_url(project, &name)));
    }
    file.rest.write(out);
    out.push(b'}');
}

fn hashes(out: &mut Vec<u8>, hashes: &Hashes<'_>) {
    out.push(b'{');
    for (at, (name, value)) in hashes.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, name, value);
    }
    out.push(b'}');
}

/// A member whose value is a string.
fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    string(out, name);
    out.push(b':');
    string(out, value);
}

/// The same after a comma, where there is a value.
fn optional(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push(b',');
        text(out, name, value);
    }
}

/// A member, after a comma, whose value needs no quotes.
fn literal(out: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    out.push(b',');
    string(out, name);
    out.extend_from_slice(format!(":{value}").as_bytes());
}
