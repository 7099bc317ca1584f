//! Fetching: from a want to the order that the coordinators carry out, and what the order's end means for the store.

use std::sync::Arc;

use artifactapi_actors::flight::{FetchOrder, Fetched, Judgement, Landing, Ticket};
use artifactapi_core::clock::Time;
use artifactapi_core::digest::{Alg, Digest};
use artifactapi_core::entry::{Entry, EntryKey, Lifetime, is_strong};
use artifactapi_core::fault::Kind;
use artifactapi_core::freshness;
use artifactapi_core::plan::{Class, Fact, Integrity, Want};
use artifactapi_core::port::upstream::{Coding, Head, Method, Request};
use artifactapi_core::{Fault, Headers};
use artifactapi_formats::Meaning;
use async_trait::async_trait;

use crate::meaning::fault_of;
use crate::table::Mount;
use crate::{Shared, store, target};

/// Everything known about a want before upstream is asked.
#[derive(Clone)]
pub(crate) struct Quest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mount: Arc<Mount>,
    pub(crate) want: Want,
    pub(crate) id: EntryKey,
    pub(crate) lifetime: Lifetime,
    /// The copy to be refreshed, if there is one.
    pub(crate) copy: Option<Arc<Entry>>,
    /// What an index says of the file.
    pub(crate) fact: Option<Fact>,
    /// The digest that was first seen under the name, if it must not change.
    pub(crate) pinned: Option<Digest>,
}

impl Quest {
    /// Joins the flight for this want, or starts it.
    pub(crate) async fn fly(&self) -> Result<Ticket, Fault> {
        let request = self.ask()?;
        let key = format!(
            "{}/{}/{}/{}",
            self.id.repo, self.mount.repository.revision, self.id.variant, self.id.key
        );
        let flights = &self.shared.handles.flights;
        flights.join(&key, || self.order(&key, request.clone())).await
    }

    /// A mismatch with a pinned digest is a changed immutable, which operators must tell from a bad transfer.
    fn explain(&self, fault: Fault) -> Fault {
        if fault.kind == Kind::Corrupt && self.pinned.is_some() {
            return Fault {
                kind: Kind::Changed,
                ..fault
            };
        }
        fault
    }

    fn order(&self, key: &str, request: Request) -> FetchOrder {
        let conditional = ["if-none-match", "if-modified-since"]
            .iter()
            .any(|name| request.headers.get(name).is_some());
        FetchOrder {
            key: key.to_owned(),
            repo: self.id.repo,
            repo_name: self.mount.name().to_owned(),
            path: self.id.key.path().to_owned(),
            request,
            digests: self.digests(),
            size: self.fact.as_ref().and_then(|fact| fact.size),
            landing: Box::new(Arrival {
                quest: self.clone(),
                conditional,
                begun: self.shared.clock.now(),
            }),
        }
    }

    fn digests(&self) -> Vec<Digest> {
        let told = self.fact.iter().flat_map(|fact| fact.digests.iter().cloned());
        told.chain(self.named()).chain(self.pinned.clone()).collect()
    }

    /// The SHA-256 that the bytes must have, if anything says so.
    pub(crate) fn sha256_known(&self) -> Option<Digest> {
        self.digests()
            .into_iter()
            .find(|digest| digest.alg() == Alg::Sha256)
    }

    /// The validator that a hit on these bytes will have, as far as it is known: upstream's strong tag, else the digest.
    pub(crate) fn etag(&self, upstream: Option<&str>, found: Option<&Digest>) -> Option<String> {
        if let Some(strong) = upstream.filter(|tag| is_strong(tag)) {
            return Some(strong.to_owned());
        }
        let digest = found.cloned().or_else(|| self.sha256_known())?;
        Some(format!("\"{digest}\""))
    }

    fn named(&self) -> Option<Digest> {
        match &self.want.class {
            Class::Immutable(Integrity::Named(digest)) => Some(digest.clone()),
            _ => None,
        }
    }

    /// The request upstream, conditional where a copy has validators worth sending.
    pub(crate) fn ask(&self) -> Result<Request, Fault> {
        let no_upstream = || Fault::not_found("the repository has no upstream");
        let origin = self.mount.origin.clone().ok_or_else(no_upstream)?;
        let settings = self.mount.repository.remote().ok_or_else(no_upstream)?;
        let order = self.mount.format.order(&self.want, &self.mount.repo());
        let urls = target::urls(&order, settings, self.fact.as_ref())?;
        let digest_known = !self.digests().is_empty();
        Ok(Request {
            origin,
            method: Method::Get,
            urls,
            headers: self.fields(order.accept, settings.check_mutable_updates),
            coding: coding(order.identity, digest_known, self.id.key.file_name()),
            digest_known,
            limit: settings.max_object_bytes,
        })
    }

    fn fields(&self, accept: &str, revalidate: bool) -> Headers {
        let accept = if accept.is_empty() { "*/*" } else { accept };
        let mut fields = Headers::from_iter([("accept", accept)]);
        if let Some(copy) = self.copy.as_ref().filter(|copy| revalidate && copy.proven) {
            if let Some(etag) = &copy.etag {
                fields.append("if-none-match", etag.as_str());
            }
            if let Some(date) = &copy.last_modified {
                fields.append("if-modified-since", date.as_str());
            }
        }
        fields
    }
}

/// Artifacts whose digest is known, or whose name says that they are compressed, keep the bytes that came.
fn coding(identity: bool, digest_known: bool, name: &str) -> Coding {
    const COMPRESSED: &[&str] = &[
        ".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".whl", ".egg", ".apk", ".rpm", ".jar",
    ];
    let compressed = COMPRESSED
        .iter()
        .any(|suffix| name.to_ascii_lowercase().ends_with(suffix));
    match identity {
        true if digest_known || compressed => Coding::Raw,
        true => Coding::Identity,
        false => Coding::Decode,
    }
}

/// What the end of a flight means for the store.
struct Arrival {
    quest: Quest,
    /// Whether upstream was asked about the copy; a 304 that nobody asked for confirms nothing.
    conditional: bool,
    /// When upstream began to be asked: whatever it said to somebody else after this is newer.
    begun: Time,
}

#[async_trait]
impl Landing for Arrival {
    async fn found(&mut self) -> Option<Arc<Entry>> {
        self.begun = self.quest.shared.clock.now();
        let stored = self.quest.shared.shelf.stored(&self.quest.id).await?;
        // The clock of whoever stored it may be ahead; what is there now is older all the same.
        self.begun = self.begun.max(stored.validated_at);
        let newer = self
            .quest
            .copy
            .as_ref()
            .is_none_or(|copy| stored.validated_at > copy.validated_at);
        newer.then_some(stored)
    }

    fn judge(&mut self, head: &Head) -> Judgement {
        let format = self.quest.mount.format;
        match format.meaning(&self.quest.want, head.status) {
            Meaning::Fresh => Judgement::Take {
                seal: format.seal(&self.quest.want, head),
            },
            Meaning::Same if self.conditional => Judgement::Same,
            meaning => Judgement::Fail(fault_of(meaning, head)),
        }
    }

    async fn land(&mut self, fetched: &Fetched) -> Result<Arc<Entry>, Fault> {
        let kept = store::keep(&self.quest, fetched, self.begun).await;
        if let Err(fault) = kept.as_ref()
            && fault.is_trouble()
        {
            self.note(fault).await;
        }
        kept
    }

    async fn same(&mut self, head: &Head) -> Result<Arc<Entry>, Fault> {
        let Some(copy) = self.quest.copy.clone() else {
            return Err(Fault::new(
                Kind::Broken,
                "upstream confirmed a copy that it was not asked about",
            ));
        };
        let mut entry = Arc::unwrap_or_clone(copy);
        entry.etag = head.headers.get("etag").map(str::to_owned).or(entry.etag);
        entry.last_modified = head
            .headers
            .get("last-modified")
            .map(str::to_owned)
            .or(entry.last_modified);
        store::confirm(&self.quest, entry, self.begun).await
    }

    async fn failed(&mut self, fault: Fault) -> Fault {
        let fault = self.quest.explain(fault);
        self.note(&fault).await;
        fault
    }
}

impl Arrival {
    /// Remembers what a failure means for the requests to come.
    async fn note(&self, fault: &Fault) {
        let shared = &self.quest.shared;
        if matches!(fault.kind, Kind::NotFound | Kind::Gone) {
            store::absent(&self.quest, fault.kind, self.begun).await;
        } else if let Some(copy) = self.quest.copy.as_ref().filter(|_| fault.is_trouble()) {
            let mut entry = Entry::clone(copy);
            entry.expires_at = Some(freshness::nudged(&self.quest.mount.rules, shared.clock.now()));
            store::save_times(shared, entry).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_and_vouched_bytes_are_never_decoded() {
        assert_eq!(coding(true, false, "a.TGZ"), Coding::Raw);
        assert_eq!(coding(true, true, "a.txt"), Coding::Raw);
        assert_eq!(coding(true, false, "a.txt"), Coding::Identity);
        assert_eq!(coding(false, false, "simple"), Coding::Decode);
    }
}
