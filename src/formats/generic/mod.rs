//! Files under any path: proxied as they are, or hosted with PUT and DELETE.
//!
//! Nothing is known of the bytes, so every file is immutable and pinned at first sight; a remote's patterns make
//! exceptions. Folder listings are mutable. Of a remote, the query names other bytes: it is part of the key, in one
//! canonical spelling. A local has no queries. No listing is made here, and no archive looked into.

mod claims;
mod query;

use artifactapi_core::fault::Kind;
use artifactapi_core::plan::{Ask, At, Class, Integrity, Order, Plan, Publish, Verb, Want};
use artifactapi_core::{Fault, Headers, Key};

use crate::{Describe, Format, Repo};

/// The package type `generic`.
#[derive(Clone, Copy, Debug)]
pub struct Generic;

impl Format for Generic {
    fn describe(&self) -> Describe {
        Describe {
            name: "generic",
            about: "Files under any path, proxied or hosted as they are",
            mutable_ttl: 300,
            allow_overwrite: true,
            hosts: true,
            follows_redirects: true,
            snippets: &[
                ("curl", "curl -fLO {url}/path/to/file"),
                (
                    "curl (upload to a local)",
                    "curl -fT file -H \"Authorization: Bearer $TOKEN\" {url}/path/to/file",
                ),
            ],
        }
    }

    fn route(&self, ask: &Ask, repo: &Repo<'_>) -> Result<Plan, Fault> {
        match (ask.verb, repo.local) {
            (Verb::Get, false) => Ok(Plan::Serve(proxied(ask)?)),
            (Verb::Get, true) => Ok(Plan::Serve(hosted(&ask.key).ok_or_else(no_folder)?)),
            (Verb::Delete, true) => Ok(Plan::Delete(hosted(&ask.key).ok_or_else(no_folder)?)),
            (Verb::Put, true) => publish(ask).map(Plan::Publish),
            (Verb::Put | Verb::Delete, false) => Err(refused("a remote takes no writes")),
            (Verb::Post | Verb::Patch, _) => Err(refused("this repository knows no such method")),
        }
    }

    fn order(&self, want: &Want, _repo: &Repo<'_>) -> Order {
        Order {
            at: At::Base(want.key.encode()),
            query: want.key.query().to_owned(),
            accept: "",
            identity: true,
        }
    }
}

/// What a GET of a remote wants: the file of this path and query, or a folder's listing.
fn proxied(ask: &Ask) -> Result<Want, Fault> {
    let key = ask.key.with_query(&query::canonical(&ask.query))?;
    let folder = key.path().is_empty() || key.path().ends_with('/');
    let class = if folder {
        Class::Mutable
    } else {
        Class::Immutable(Integrity::Pinned)
    };
    Ok(Want::new(key, class))
}

/// The file of this path in a local; `None` for a folder.
fn hosted(key: &Key) -> Option<Want> {
    let folder = key.path().is_empty() || key.path().ends_with('/');
    (!folder).then(|| Want::new(key.clone(), Class::Immutable(Integrity::Pinned)))
}

/// What a PUT to a local stores.
fn publish(ask: &Ask) -> Result<Publish, Fault> {
    let want = hosted(&ask.key).ok_or_else(|| bad("a file's path must not end in a slash"))?;
    whole_and_plain(&ask.headers)?;
    Ok(Publish {
        want,
        claimed: claims::read(&ask.headers)?,
    })
}

/// Refuses a body that is not the file itself: a part of it (RFC 9110 §14.5) or a coded form.
fn whole_and_plain(headers: &Headers) -> Result<(), Fault> {
    if headers.get("content-range").is_some() {
        return Err(bad("a PUT must bring the whole file, without Content-Range"));
    }
    let coded = headers
        .items("content-encoding")
        .any(|coding| !coding.eq_ignore_ascii_case("identity"));
    if coded {
        return Err(bad("files are taken as they are, without Content-Encoding"));
    }
    Ok(())
}

fn no_folder() -> Fault {
    Fault::not_found("a local has no folder listings")
}

fn refused(what: &'static str) -> Fault {
    Fault::client(Kind::MethodNotAllowed, what)
}

fn bad(what: &'static str) -> Fault {
    Fault::client(Kind::BadRequest, what)
}

#[cfg(test)]
mod tests;
