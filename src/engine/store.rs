//! Storing what a flight brought: object durable first, then one transaction, then memory.

use std::sync::Arc;

use artifactapi_actors::flight::Fetched;
use artifactapi_core::Fault;
use artifactapi_core::clock::Time;
use artifactapi_core::entry::{Entry, Lifetime};
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Kind;
use artifactapi_core::freshness;
use artifactapi_core::headers::Headers;
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Class, Fact};
use artifactapi_core::port::catalog::{Commit, Committed, Guard, Pin};
use artifactapi_formats::Source;

use crate::Shared;
use crate::fetching::Quest;

/// How many bytes move from spool to store at a time.
const PIECE: usize = 256 << 10;

/// Makes a fetched body durable and visible, unless one that was asked for after `begun` is there already.
pub(crate) async fn keep(quest: &Quest, fetched: &Fetched, begun: Time) -> Result<Arc<Entry>, Fault> {
    if !quest.shared.table.is_current(&quest.mount) {
        return Err(changed_meanwhile());
    }
    let facts = facts(quest, fetched).await?;
    let entry = entry(quest, fetched, begun);
    if let Some(copy) = quest
        .copy
        .as_ref()
        .filter(|copy| copy.digest == entry.digest && copy.proven == entry.proven)
    {
        return confirm(
            quest,
            Entry {
                object: copy.object.clone(),
                ..entry
            },
            begun,
        )
        .await;
    }
    copy_spool(quest, fetched, &entry.object).await?;
    let commit = Commit {
        // What came from an upstream that was changed meanwhile must not outlive the change.
        revision: Some(quest.mount.repository.revision),
        // A replica that stood still over its fetch must not undo what another has fetched since.
        guard: Guard::NotNewerThan(begun),
        pin: pin(quest, fetched.proven),
        facts,
        quota: 0,
        entry,
    };
    commit_object(quest, commit).await
}

/// Upstream confirmed the copy, by 304 or by the same bytes: its times move. Gives what is stored, where that is newer.
pub(crate) async fn confirm(quest: &Quest, mut entry: Entry, begun: Time) -> Result<Arc<Entry>, Fault> {
    entry.validated_at = begun;
    entry.expires_at = freshness::expiry(entry.lifetime, entry.proven, &quest.mount.rules, begun);
    if !save_times(&quest.shared, entry.clone()).await
        && let Some(newer) = overtaking(quest, begun).await
    {
        return Ok(newer);
    }
    Ok(Arc::new(entry))
}

/// The stored entry, if upstream was asked for it after `begun`.
async fn overtaking(quest: &Quest, begun: Time) -> Option<Arc<Entry>> {
    let stored = quest.shared.shelf.stored(&quest.id).await;
    stored.filter(|stored| stored.validated_at > begun)
}

/// Writes an entry's times and validators; `false` if another entry is there by now, or one that was confirmed later.
/// Failing costs another look upstream, nothing else.
pub(crate) async fn save_times(shared: &Shared, entry: Entry) -> bool {
    let since = shared.shelf.moment();
    match shared.catalog.revalidated(&entry).await {
        Ok(true) => shared.shelf.put(&Arc::new(entry), since),
        Ok(false) => {
            shared.shelf.forget([&entry.id]);
            return false;
        }
        Err(fault) => log::warn!(path = entry.id.key.path(); "an entry's times are not saved: {fault:?}"),
    }
    true
}

/// Upstream has no such thing: remembers it, and removes the document. Artifacts stay, for whoever has pinned them; so does
/// what upstream gave to somebody who asked after `begun`.
pub(crate) async fn absent(quest: &Quest, kind: Kind, begun: Time) {
    if overtaking(quest, begun).await.is_some() {
        return;
    }
    withdraw(quest).await;
    let revision = quest.mount.repository.revision;
    quest.shared.shelf.absent(&quest.id, revision, kind).await;
}

async fn withdraw(quest: &Quest) {
    let Some(copy) = quest
        .copy
        .as_ref()
        .filter(|copy| copy.lifetime == Lifetime::Mutable)
    else {
        return;
    };
    let gone = [(copy.id.clone(), Some(copy.digest.clone()))];
    if let Err(fault) = quest.shared.catalog.remove(&gone, false).await {
        log::warn!(path = copy.id.key.path(); "a withdrawn document is not removed: {fault:?}");
    }
    quest.shared.shelf.forget([&copy.id]);
    quest.shared.handles.replicas.changed();
}

/// The times count from when upstream was asked, not from when the last byte came (RFC 9111 §4.2.3).
fn entry(quest: &Quest, fetched: &Fetched, begun: Time) -> Entry {
    let head = &fetched.head;
    let sha256 = fetched.digests.sha256.clone();
    let field = |name| head.headers.get(name).map(str::to_owned);
    Entry {
        id: quest.id.clone(),
        object: ObjectName::blob(&sha256, quest.shared.new_id()),
        digest: sha256,
        size: fetched.size,
        lifetime: quest.lifetime,
        media: quest.media(field("content-type")),
        etag: field("etag"),
        last_modified: field("last-modified"),
        kept: Headers::new(),
        source_url: Some(head.url.to_string()),
        proven: fetched.proven,
        fetched_at: quest.shared.clock.now(),
        validated_at: begun,
        expires_at: freshness::expiry(quest.lifetime, fetched.proven, &quest.mount.rules, begun),
    }
}

fn pin(quest: &Quest, proven: bool) -> Pin {
    match quest.lifetime {
        Lifetime::Immutable if !proven => Pin::No,
        Lifetime::Immutable if quest.may_change() => Pin::Move,
        Lifetime::Immutable => Pin::Hold,
        Lifetime::Mutable | Lifetime::Hosted => Pin::No,
    }
}

/// What an index says, read before anything is stored: a document that cannot be understood is not kept.
async fn facts(quest: &Quest, fetched: &Fetched) -> Result<Option<Vec<Fact>>, Fault> {
    if quest.want.class != Class::Index {
        return Ok(None);
    }
    let (format, want) = (quest.mount.format, quest.want.clone());
    let (head, digest) = (Arc::clone(&fetched.head), fetched.digests.sha256.clone());
    let mut document = fetched.spool.source();
    crate::blocking(move || {
        let media = head.headers.get("content-type").unwrap_or_default();
        let source = Source {
            url: Some(&head.url),
            media,
            digest: &digest,
        };
        format.facts(&want, &mut document, &source).map(Some)
    })
    .await
}

async fn copy_spool(quest: &Quest, fetched: &Fetched, object: &ObjectName) -> Result<(), Fault> {
    let mut writer = quest.shared.blobs.create(object).await?;
    let mut at = 0;
    while at < fetched.size {
        let spool = Arc::clone(&fetched.spool);
        let piece = crate::blocking(move || spool.read_at(at, PIECE).map_err(spool_fault)).await?;
        if piece.is_empty() {
            return Err(Fault::new(
                Kind::Internal,
                "the spool is shorter than what was fetched",
            ));
        }
        at += piece.len() as u64;
        writer.write(piece).await?;
    }
    writer.commit().await.map(drop)
}

fn spool_fault(error: std::io::Error) -> Fault {
    Fault::ours(Kind::StoreUnavailable, "the spool cannot be read", error)
}

async fn commit_object(quest: &Quest, commit: Commit) -> Result<Arc<Entry>, Fault> {
    let shared = &quest.shared;
    let since = shared.shelf.moment();
    match shared.commit(commit).await? {
        Committed::Stored { entry, moved_pin, .. } => {
            if moved_pin.is_some() {
                incident(quest, "changed_accepted");
            }
            let entry = Arc::new(*entry);
            shared.shelf.put(&entry, since);
            shared
                .shelf
                .hope(&entry.id, quest.mount.repository.revision)
                .await;
            Ok(entry)
        }
        Committed::Refused => {
            let newer = shared.shelf.stored(&quest.id).await;
            newer.ok_or_else(changed_meanwhile)
        }
        refused => Err(refusal(quest, &refused)),
    }
}

fn refusal(quest: &Quest, refused: &Committed) -> Fault {
    match refused {
        Committed::PinnedOther(_) => {
            incident(quest, Kind::Changed.code());
            Fault::new(Kind::Changed, "upstream changed the bytes of an immutable object")
        }
        Committed::NoRepository => changed_meanwhile(),
        Committed::Stored { .. } | Committed::Refused | Committed::OverQuota => {
            Fault::new(Kind::Internal, "the catalog refused a cached object")
        }
    }
}

fn changed_meanwhile() -> Fault {
    Fault::new(
        Kind::Conflict,
        "the repository changed while the object was fetched",
    )
}

fn incident(quest: &Quest, outcome: &str) {
    quest.shared.handles.events.tell(Event {
        kind: EventKind::Incident,
        remote: Some(quest.mount.name().to_owned()),
        path: Some(quest.id.key.path().to_owned()),
        at: quest.shared.clock.now(),
        outcome: outcome.to_owned(),
        bytes: None,
    });
}
