//! Obtaining: from a want to stored bytes or a running flight, by freshness, patience and luck.

use std::sync::Arc;
use std::time::Duration;

use artifactapi_actors::flight::{Fetched, Stage, Ticket};
use artifactapi_core::Fault;
use artifactapi_core::clock::Time;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::freshness::{self, Freshness};
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Class, Integrity, Want};

use artifactapi_formats::kit::media;

use crate::fetching::Quest;
use crate::table::Mount;
use crate::{Shared, facts};

/// Where the bytes of a want are.
pub(crate) enum Got {
    /// In the store.
    Stored(Arc<Entry>, Outcome),
    /// On their way, or whole in the spool of a flight that could not be stored.
    /// The quest comes along with what it has learned: digests make validators, addresses make ranges.
    Flying(Box<Quest>, Ticket, Outcome),
}

/// What a client asks of the way the bytes are obtained.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// Upstream must have confirmed the copy lately.
    pub(crate) revalidate: bool,
    /// Upstream must not be asked.
    pub(crate) only_if_cached: bool,
}

impl Quest {
    /// What is known of a want before anything is looked up.
    pub(crate) fn new(shared: &Arc<Shared>, mount: &Arc<Mount>, want: Want) -> Self {
        let id = EntryKey {
            repo: mount.id(),
            key: want.key.clone(),
            variant: want.ask.0.to_owned(),
        };
        let by_type = match want.class {
            Class::Immutable(_) => Lifetime::Immutable,
            Class::Index | Class::Mutable => Lifetime::Mutable,
        };
        let lifetime = mount.policy.lifetime(&want.key, by_type);
        let (shared, mount) = (Arc::clone(shared), Arc::clone(mount));
        Self {
            shared,
            mount,
            want,
            id,
            lifetime,
            copy: None,
            fact: None,
            pinned: None,
        }
    }

    /// Stored bytes while they are fresh, else upstream's, else stale ones.
    pub(crate) async fn obtain(mut self, wish: Wish) -> Result<Got, Fault> {
        let Some(entry) = self.shared.shelf.entry(&self.id).await? else {
            return self.miss(wish).await;
        };
        match freshness::decide(
            &entry,
            &self.mount.rules,
            self.shared.clock.now(),
            wish.revalidate,
        ) {
            Freshness::Fresh => Ok(Got::Stored(entry, Outcome::Hit)),
            _ if wish.only_if_cached => Ok(Got::Stored(entry, Outcome::Stale)),
            Freshness::RefreshBehind => {
                self.copy = Some(Arc::clone(&entry));
                self.refresh_behind().await;
                Ok(Got::Stored(entry, Outcome::StaleWhileRevalidate))
            }
            Freshness::Revalidate => {
                self.copy = Some(Arc::clone(&entry));
                self.refresh(entry).await
            }
        }
    }

    async fn miss(self, wish: Wish) -> Result<Got, Fault> {
        let revision = self.mount.repository.revision;
        if wish.only_if_cached {
            return Err(Fault::client(
                Kind::Timeout,
                "there is no stored copy, and only-if-cached forbids to fetch one",
            ));
        }
        if let Some(fault) = self.shared.shelf.absence(&self.id, revision).await {
            return Err(fault);
        }
        self.embark().await
    }

    /// Learns what there is to know, and joins or starts the flight.
    async fn embark(mut self) -> Result<Got, Fault> {
        self.learn().await?;
        let ticket = self.depart().await?;
        let outcome = if ticket.leader {
            Outcome::Miss
        } else {
            Outcome::Coalesced
        };
        Ok(Got::Flying(Box::new(self), ticket, outcome))
    }

    /// Starts or joins the flight, unless the remote's breaker is open.
    pub(crate) async fn depart(&self) -> Result<Ticket, Fault> {
        self.shared
            .handles
            .breakers
            .gate(self.mount.id(), self.mount.name())
            .await?;
        self.fly().await
    }

    /// Finds out what the bytes must be: from the index that names the file, or from the first sight of the name.
    pub(crate) async fn learn(&mut self) -> Result<(), Fault> {
        if let Class::Immutable(Integrity::Told { owner, id }) = &self.want.class {
            self.fact = Some(facts::learn(&self.shared, &self.mount, owner, id).await?);
        }
        if self.lifetime == Lifetime::Immutable && !self.may_change() {
            self.pinned = self.pin().await?;
        }
        Ok(())
    }

    async fn pin(&self) -> Result<Option<Digest>, Fault> {
        self.shared.shelf.pinned(&self.id).await
    }

    /// Whether other bytes under an immutable name are a change to be noted rather than refused.
    pub(crate) fn may_change(&self) -> bool {
        self.mount
            .repository
            .remote()
            .is_none_or(|s| s.accept_changed || s.immutable_ttl > 0)
    }

    /// Whether clients may keep the bytes for ever.
    pub(crate) fn is_immutable(&self) -> bool {
        self.lifetime == Lifetime::Immutable && self.mount.rules.immutable_ttl == 0
    }

    /// The content type to store: the type's own word, else upstream's, else what the name suggests.
    pub(crate) fn media(&self, upstream: Option<String>) -> String {
        match (self.want.media, upstream) {
            (Some(known), _) => known.to_owned(),
            (None, Some(said)) => said,
            (None, None) => media::by_name(self.want.key.file_name()).to_owned(),
        }
    }

    async fn refresh_behind(&mut self) {
        let begun = match self.learn().await {
            Ok(()) => self.depart().await.map(drop),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = begun {
            log::debug!(path = self.id.key.path(); "a refresh did not begin: {fault:?}");
        }
    }

    /// One conditional request; while upstream is in trouble or slow, the copy answers.
    async fn refresh(mut self, copy: Arc<Entry>) -> Result<Got, Fault> {
        if !freshness::may_serve_stale(&copy, &self.mount.rules, self.shared.clock.now()) {
            // The copy may not answer, so nothing is won by giving up on upstream.
            return self.embark().await;
        }
        let patience = self.shared.patience;
        let settled = tokio::time::timeout(patience, self.confirmed(&copy)).await;
        let fault = match settled {
            Ok(Ok(got)) => return Ok(got),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::new(Kind::Timeout, "upstream takes too long to confirm the copy"),
        };
        let now = self.shared.clock.now();
        if fault.is_trouble() && freshness::may_serve_stale(&copy, &self.mount.rules, now) {
            log::info!(path = self.id.key.path(); "a stale copy is served: {fault:?}");
            return Ok(Got::Stored(copy, Outcome::Stale));
        }
        Err(fault)
    }

    async fn confirmed(&mut self, copy: &Arc<Entry>) -> Result<Got, Fault> {
        self.learn().await?;
        let ticket = self.depart().await?;
        let progress = ticket.settled().await?;
        let outcome = |same| {
            if same {
                Outcome::Revalidated
            } else if ticket.leader {
                Outcome::Miss
            } else {
                Outcome::Coalesced
            }
        };
        match progress.stage {
            Stage::Same(entry) => Ok(Got::Stored(entry, Outcome::Revalidated)),
            Stage::Landed(entry) => {
                let outcome = outcome(entry.digest == copy.digest);
                Ok(Got::Stored(entry, outcome))
            }
            // The bytes are whole and still not what was asked for, such as an index that cannot be read.
            Stage::Unstored(fault) if fault.is_trouble() => Err(fault),
            _ => {
                let outcome = outcome(false);
                Ok(Got::Flying(Box::new(self.clone()), ticket, outcome))
            }
        }
    }
}

/// A whole document, for reading: from the store, or from the spool of a flight that could not be stored.
pub(crate) enum Document {
    Stored(Arc<Entry>),
    Spooled(Arc<Fetched>),
}

impl Got {
    /// Waits until the whole document is there. For an index, which cannot be shown in part.
    pub(crate) async fn document(self, limit: Duration) -> Result<(Document, Outcome), Fault> {
        let (ticket, outcome) = match self {
            Self::Stored(entry, outcome) => return Ok((Document::Stored(entry), outcome)),
            Self::Flying(_, ticket, outcome) => (ticket, outcome),
        };
        let settled = tokio::time::timeout(limit, ticket.settled()).await;
        let progress =
            settled.map_err(|_| Fault::new(Kind::Timeout, "upstream takes too long to send the index"))??;
        match (progress.stage, progress.fetched) {
            (Stage::Landed(entry) | Stage::Same(entry), _) => Ok((Document::Stored(entry), outcome)),
            (_, Some(fetched)) => Ok((Document::Spooled(fetched), outcome)),
            (_, None) => Err(Fault::new(Kind::Internal, "a flight ended without its bytes")),
        }
    }
}

/// Whether a flight died without a word, so that joining once more is right.
pub(crate) fn crashed(fault: &Fault) -> bool {
    fault.kind == Kind::Internal && fault.retry == Retry::Now
}

/// The `ttl` of `Cache-Status` for an entry, in seconds.
pub(crate) fn ttl(entry: &Entry, now: Time) -> Option<i64> {
    freshness::ttl_seconds(entry, now)
}
