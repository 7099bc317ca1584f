//! Python packages by the simple API (PEP 503, 629, 658, 691, 700, 714, 740, 792), proxied.
//!
//! Upstream is asked for JSON and may answer HTML; clients get either, whichever upstream has. Files lie where their
//! project's page says, on whatever host; here they are all at `packages/{project}/{file}`, so that the page can be
//! found from the address alone. No uploads, no legacy JSON API, no search; of a wheel only its metadata is ever read.

mod facts;
mod html;
mod json;
mod metadata;
mod names;
mod negotiate;
mod page;
mod route;

use artifactapi_core::Fault;
use artifactapi_core::entry::Entry;
use artifactapi_core::plan::{Ask, At, Class, Fact, Order, Plan, Want};
use artifactapi_core::port::ReadSeek;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::Seal;
use url::Url;

use self::negotiate::{ACCEPT, Show};
use self::page::{Page, Root};
use crate::kit::document::{MAX_INDEX, read, trimmed};
use crate::kit::seals::{self, Form};
use crate::{Derived, Describe, Format, Repo, Source};

/// The package type `pypi`.
#[derive(Clone, Copy, Debug)]
pub struct PyPi;

impl Format for PyPi {
    fn describe(&self) -> Describe {
        Describe {
            name: "pypi",
            about: "Python packages by the simple API",
            mutable_ttl: 300,
            allow_overwrite: false,
            hosts: false,
            follows_redirects: true,
            snippets: &[
                ("pip", "pip config set global.index-url {url}/simple/"),
                ("uv", "export UV_DEFAULT_INDEX={url}/simple/"),
                (
                    "poetry",
                    "poetry source add --priority=primary cache {url}/simple/",
                ),
            ],
        }
    }

    fn route(&self, ask: &Ask, _repo: &Repo<'_>) -> Result<Plan, Fault> {
        route::route(ask)
    }

    fn order(&self, want: &Want, repo: &Repo<'_>) -> Order {
        let (at, accept) = match want.class {
            Class::Index => (At::Index(below_index(want, repo.index)), ACCEPT),
            Class::Immutable(_) | Class::Mutable => (At::Fact, ""),
        };
        Order {
            at,
            query: String::new(),
            accept,
            identity: want.class != Class::Index,
        }
    }

    fn seal(&self, want: &Want, head: &Head) -> Option<Box<dyn Seal>> {
        (want.class == Class::Index).then(|| seals::page(head))
    }

    fn facts(&self, want: &Want, doc: &mut dyn ReadSeek, source: &Source<'_>) -> Result<Vec<Fact>, Fault> {
        let Some(project) = route::project(&want.key) else {
            return Ok(Vec::new());
        };
        let bytes = read(doc, MAX_INDEX)?;
        let page = read_page(&bytes, source)?;
        Ok(facts::facts(&page, project, source.url))
    }

    fn derive(&self, want: &Want, doc: &mut dyn ReadSeek, source: &Source<'_>) -> Result<Derived, Fault> {
        if metadata::is_metadata(want) {
            let body = metadata::extract(doc)?;
            let media = "text/plain; charset=utf-8";
            return Ok(Derived::Bytes { media, body });
        }
        if want.class != Class::Index {
            return Ok(Derived::Source);
        }
        let bytes = read(doc, MAX_INDEX)?;
        let show = Show::of(want.show);
        let mut body = Vec::with_capacity(bytes.len());
        match route::project(&want.key) {
            None => write_root(&read_root(&bytes, source)?, show, &mut body),
            Some(project) => write_page(&read_page(&bytes, source)?, project, show, &mut body),
        }
        Ok(Derived::Bytes {
            media: show.media(),
            body,
        })
    }

    fn instead(&self, want: &Want) -> Option<Want> {
        metadata::wheel(want)
    }

    fn headers(&self, want: &Want, _entry: &Entry) -> Vec<(&'static str, String)> {
        if want.class == Class::Index {
            vec![("vary", "Accept".to_owned())]
        } else {
            Vec::new()
        }
    }
}

/// Where a page is below the index: an index URL whose path ends in `/simple` is the simple root, any other is the
/// host's root.
fn below_index(want: &Want, index: Option<&Url>) -> String {
    let path = index.map_or("", Url::path).trim_end_matches('/');
    let encoded = want.key.encode();
    if path.ends_with("/simple") || path.ends_with("/+simple") {
        encoded.trim_start_matches(route::ROOT).to_owned()
    } else {
        encoded
    }
}

/// What a stored page is written in.
fn form(bytes: &[u8], source: &Source<'_>) -> Form {
    Form::of(source.media, trimmed(bytes).first().copied())
}

fn read_page<'a>(bytes: &'a [u8], source: &Source<'_>) -> Result<Page<'a>, Fault> {
    let mut page = match form(bytes, source) {
        Form::Json => json::page(bytes)?,
        Form::Html => html::page(bytes),
    };
    page.keep_servable_files(source.url);
    Ok(page)
}

fn read_root<'a>(bytes: &'a [u8], source: &Source<'_>) -> Result<Root<'a>, Fault> {
    let mut root = match form(bytes, source) {
        Form::Json => json::root(bytes)?,
        Form::Html => html::root(bytes),
    };
    root.projects
        .retain(|project| names::normalised(&project.name).is_some());
    Ok(root)
}

fn write_page(page: &Page<'_>, project: &str, show: Show, out: &mut Vec<u8>) {
    match show {
        Show::Json => json::write_page(page, project, out),
        Show::Html | Show::Text => html::write_page(page, project, out),
    }
}

fn write_root(root: &Root<'_>, show: Show, out: &mut Vec<u8>) {
    match show {
        Show::Json => json::write_root(root, out),
        Show::Html | Show::Text => html::write_root(root, out),
    }
}

#[cfg(test)]
mod tests;
