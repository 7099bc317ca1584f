//! What a page says about files, as rows: where each is upstream, what it hashes to, and since when it is there.

use std::collections::HashSet;

use artifactapi_core::plan::{Fact, Subject};
use artifactapi_core::{Alg, Digest, Time};
use url::Url;

use super::names;
use super::page::{File, Hashes, Page, Sidecar, resolve};
use crate::kit::media::ends_with;

/// The member that says when a file was published.
const PUBLISHED: &str = "upload-time";

/// Digests in the order of their strength.
const STRONGEST_FIRST: [Alg; 4] = [Alg::Sha512, Alg::Sha256, Alg::Sha1, Alg::Md5];

/// The facts of a project's page; `answered` is the URL it came from.
///
/// Each file is a fact under its own name, and the ledger knows it as a version of its project under that name: the
/// index says when a *file* was published, not a version. Its sidecars are facts beside it, which the ledger ignores:
/// `.metadata` for whatever advertises it and for any wheel that does not deny it, `.asc` where a signature is
/// advertised, `.provenance` where a URL is given. Files without an HTTP address are left out.
pub(super) fn facts(page: &Page<'_>, project: &str, answered: Option<&Url>) -> Vec<Fact> {
    let based = page.base.as_deref().and_then(|base| resolve(answered, base));
    let base = based.as_ref().or(answered);
    let mut facts = Vec::with_capacity(page.files.len().saturating_mul(2));
    for file in &page.files {
        let Some(url) = resolve(base, &file.url) else {
            continue;
        };
        sidecars(file, &url, base, &mut facts);
        facts.push(Fact {
            id: file.name.clone().into_owned(),
            url: url.into(),
            digests: digests(&file.hashes),
            size: file.size,
            subject: Subject {
                package: Some(project.to_owned()),
                version: Some(file.name.clone().into_owned()),
            },
            published: published(file),
        });
    }
    once_each(facts)
}

fn sidecars(file: &File<'_>, url: &Url, base: Option<&Url>, facts: &mut Vec<Fact>) {
    let mut add = |ending: &str, url: Url, digests: Vec<Digest>| {
        facts.push(Fact {
            id: format!("{}{ending}", file.name),
            url: url.into(),
            digests,
            ..Fact::default()
        });
    };
    let advertised = match &file.metadata {
        Some(Sidecar::No) => None,
        Some(Sidecar::Hashed(hashes)) => Some(digests(hashes)),
        Some(Sidecar::Yes) => Some(Vec::new()),
        None => ends_with(&file.name, ".whl").then(Vec::new),
    };
    if let Some(digests) = advertised {
        add(names::METADATA, beside(url, names::METADATA), digests);
    }
    if file.signed == Some(true) {
        add(names::SIGNATURE, beside(url, names::SIGNATURE), Vec::new());
    }
    let provenance = file.provenance.as_deref().and_then(|found| resolve(base, found));
    if let Some(url) = provenance {
        add(names::PROVENANCE, url, Vec::new());
    }
}

/// The URL of a file with an ending added to its path.
fn beside(url: &Url, ending: &str) -> Url {
    let mut beside = url.clone();
    beside.set_path(&format!("{}{ending}", url.path()));
    beside
}

fn digests(hashes: &Hashes<'_>) -> Vec<Digest> {
    let of = |alg: Alg| {
        let (_, hex) = hashes.iter().find(|(name, _)| name == alg.as_str())?;
        Digest::new(alg, hex)
    };
    STRONGEST_FIRST.into_iter().filter_map(of).collect()
}

fn published(file: &File<'_>) -> Option<(Time, String)> {
    let time = Time::parse_rfc3339(file.upload_time.as_deref()?)?;
    Some((time, PUBLISHED.to_owned()))
}

/// Leaves the facts with distinct names; a file that the page lists itself goes before a sidecar of that name.
fn once_each(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| fact.subject.package.is_none());
    let mut seen = HashSet::with_capacity(facts.len());
    let keep: Vec<bool> = facts.iter().map(|fact| seen.insert(fact.id.as_str())).collect();
    let mut keep = keep.into_iter();
    facts.retain(|_| keep.next().unwrap_or(false));
    facts
}
