//! The trip of a probe: one order carried out, its answer looked at.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use artifactapi_api::probe::ProbeReport;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::Lifetime;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::freshness;
use artifactapi_core::headers::Headers;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Class, Fact, Integrity, Want};
use artifactapi_core::policy::Admission;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::upstream::{Answer, Coding, Head, Method, Request};
use artifactapi_formats::{Meaning, Source};
use futures_util::StreamExt as _;
use url::Url;

use super::{Admin, millis};
use crate::meaning::fault_of;
use crate::table::Mount;
use crate::target;

/// How much of a body is looked at.
const FIRST_BYTES: u64 = 64 << 10;
/// Largest index that is read to find a file's place.
const MAX_INDEX: u64 = 64 << 20;

/// A probe under way.
pub(super) struct Trip<'a> {
    pub(super) admin: &'a Admin,
    pub(super) mount: &'a Mount,
    pub(super) method: Method,
}

impl Trip<'_> {
    /// Asks for a want, and writes what came of it into the report.
    pub(super) async fn go(&self, want: &Want, report: &mut ProbeReport) -> Result<(), Fault> {
        let lifetime = self.mount.policy.lifetime(&want.key, by_type(&want.class));
        report.class = Some(class(&want.class, lifetime).to_owned());
        let fact = match &want.class {
            Class::Immutable(Integrity::Told { owner, id }) => Some(self.told(owner, id).await?),
            Class::Immutable(_) | Class::Index | Class::Mutable => None,
        };
        let started = Instant::now();
        let answer = self.ask(want, self.method, fact.as_ref()).await?;
        report.timings.head_ms = Some(millis(started));
        let head = answer.head.clone();
        describe(report, &head);
        report.status = head.status;
        let meaning = self.mount.format.meaning(want, head.status);
        if meaning != Meaning::Fresh {
            return Err(fault_of(meaning, &head));
        }
        self.admits_size(&head)?;
        look(answer.body, FIRST_BYTES).await?;
        let vouched = fact.is_some_and(|fact| !fact.digests.is_empty())
            || matches!(want.class, Class::Immutable(Integrity::Named(_)));
        let now = self.admin.parts.clock.now();
        let proven = vouched || head.length.is_some() || head.framed;
        let expires = freshness::expiry(lifetime, proven, &self.mount.rules, now);
        report.ttl = expires.map(|time| time.since(now).as_secs());
        Outcome::Miss.as_str().clone_into(&mut report.outcome);
        report.would_cache = true;
        report.ok = true;
        Ok(())
    }

    /// What an index says about a file: from the catalog, else from upstream's index of this moment.
    async fn told(&self, owner: &Want, id: &str) -> Result<Fact, Fault> {
        let catalog = &self.admin.parts.catalog;
        if let Some(fact) = catalog.fact(self.mount.id(), &owner.key, id).await? {
            return Ok(fact);
        }
        if let Admission::Denied(reason) = self.mount.policy.admit(&owner.key, owner.service) {
            return Err(Fault::client(Kind::Denied, reason));
        }
        let Answer { head, body } = self.ask(owner, Method::Get, None).await?;
        let meaning = self.mount.format.meaning(owner, head.status);
        if meaning != Meaning::Fresh {
            return Err(fault_of(meaning, &head));
        }
        let index = read(body, MAX_INDEX).await?;
        let (format, owner) = (self.mount.format, owner.clone());
        let facts = tokio::task::spawn_blocking(move || {
            let media = head.headers.get("content-type").unwrap_or_default();
            let source = Source {
                url: Some(&head.url),
                media,
                digest: &Digest::sha256(&index),
            };
            format.facts(&owner, &mut Cursor::new(&index), &source)
        })
        .await
        .map_err(|e| Fault::ours(Kind::Internal, "the index could not be read", e))??;
        let named = facts.into_iter().find(|fact| fact.id == id);
        named.ok_or_else(|| Fault::not_found("the index does not name this file"))
    }

    async fn ask(&self, want: &Want, method: Method, fact: Option<&Fact>) -> Result<Answer, Fault> {
        let lost = || Fault::not_found("the repository has no upstream");
        let settings = self.mount.repository.remote().ok_or_else(lost)?;
        let origin = self.mount.origin.as_ref().ok_or_else(lost)?;
        let order = self.mount.format.order(want, &self.mount.repo());
        let accept = if order.accept.is_empty() {
            "*/*"
        } else {
            order.accept
        };
        let request = Request {
            origin: Arc::clone(origin),
            method,
            urls: target::urls(&order, settings, fact)?,
            headers: Headers::from_iter([("accept", accept)]),
            coding: if order.identity {
                Coding::Raw
            } else {
                Coding::Decode
            },
            digest_known: fact.is_some_and(|fact| !fact.digests.is_empty()),
            limit: settings.max_object_bytes,
        };
        self.admin.parts.upstream.send(request).await
    }

    fn admits_size(&self, head: &Head) -> Result<(), Fault> {
        let limit = self
            .mount
            .repository
            .remote()
            .map_or(0, |settings| settings.max_object_bytes);
        if limit > 0 && head.length.is_some_and(|length| length > limit) {
            let what = format!("the object is larger than this remote's limit of {limit} bytes");
            return Err(Fault::new(Kind::UpstreamTooLarge, what));
        }
        Ok(())
    }
}

/// Takes over the head. Cookies and challenges are left out, and so are queries, which may hold a signature.
fn describe(report: &mut ProbeReport, head: &Head) {
    const LEFT_OUT: &[&str] = &["set-cookie", "www-authenticate", "location"];
    for (name, value) in head.headers.iter().filter(|(name, _)| !LEFT_OUT.contains(name)) {
        report
            .headers
            .entry(name.to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    report.final_url = Some(public_form(&head.url));
}

fn public_form(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that cannot hold credentials.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

/// Reads the first bytes of a body, so that a transfer that breaks at once is noticed.
async fn look(mut body: ByteStream, most: u64) -> Result<(), Fault> {
    let mut seen = 0;
    while let Some(chunk) = body.next().await {
        seen += chunk?.len() as u64;
        if seen >= most {
            break;
        }
    }
    Ok(())
}

/// Reads a body whole, up to a limit.
async fn read(mut body: ByteStream, most: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() as u64 > most {
            return Err(Fault::new(Kind::Broken, "the index is too large to be probed"));
        }
    }
    Ok(bytes)
}

fn by_type(class: &Class) -> Lifetime {
    match class {
        Class::Immutable(_) => Lifetime::Immutable,
        Class::Index | Class::Mutable => Lifetime::Mutable,
    }
}

fn class(class: &Class, lifetime: Lifetime) -> &'static str {
    match class {
        Class::Index => "index",
        Class::Immutable(_) | Class::Mutable => lifetime.as_str(),
    }
}
