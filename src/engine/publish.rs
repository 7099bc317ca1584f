//! Publishing: writes to and removals from a local. Bytes durable, verified, row committed, then the reply.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::conditional;
use artifactapi_core::digest::{Digests, Hasher};
use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Kind;
use artifactapi_core::headers::Headers;
use artifactapi_core::key::ObjectName;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Publish, Want};
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::catalog::{Commit, Committed, Guard, Pin};
use artifactapi_formats::kit::media;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::Shared;
use crate::exchange::{Access, Body, Exchange, Response};
use crate::respond::mark;
use crate::serve::Served;
use crate::table::Mount;

/// How many bytes are hashed and written at a time.
const BATCH: usize = 256 << 10;

/// Writes need a token, wherever reads do not.
pub(crate) fn may_write(x: &Exchange) -> Result<(), Fault> {
    match x.who {
        Access::Admin => Ok(()),
        Access::Anonymous => Err(Fault::client(Kind::Unauthorized, "writing wants a token")),
    }
}

/// Stores a body under its name.
pub(crate) async fn put(
    shared: &Arc<Shared>,
    mount: &Mount,
    x: &Exchange,
    put: Publish,
    body: Option<ByteStream>,
) -> Result<Served, Fault> {
    let local = mount.repository.local();
    let local = local.ok_or_else(|| Fault::client(Kind::MethodNotAllowed, "a remote takes no writes"))?;
    let overwrites = local
        .allow_overwrite
        .unwrap_or(mount.format.describe().allow_overwrite);
    let id = EntryKey::new(mount.id(), put.want.key.clone());
    let guard = guard(shared, &id, x, overwrites).await?;
    let body = body.ok_or_else(|| Fault::client(Kind::BadRequest, "the request has no body"))?;
    let object = ObjectName::upload(shared.new_id());
    // The commit weighs the whole repository under its lock; here only what could never fit is stopped early.
    let room = if local.quota_bytes == 0 {
        u64::MAX
    } else {
        local.quota_bytes
    };
    let staged = stage(shared, &object, &put, (body, room)).await?;
    if let Some(claimed) = put
        .claimed
        .iter()
        .find(|claimed| staged.digests.matches(claimed) != Some(true))
    {
        shared.discard(&object).await;
        return Err(Fault::client(
            Kind::ChecksumMismatch,
            format!("the body is not what {} promises", claimed.alg().as_str()),
        ));
    }
    let entry = entry(shared, mount, x, (&put.want, &object, staged));
    let commit = Commit {
        entry,
        revision: None,
        guard,
        pin: Pin::No,
        facts: None,
        quota: local.quota_bytes,
    };
    let (status, entry) = commit_object(shared, commit).await?;
    tell(shared, mount, &entry.id, "put", entry.size);
    Ok(created(status, &entry))
}

/// What must hold for a write. Where the repository keeps what it has, a condition is no way round that: it is checked
/// beforehand, and the bytes must be the same all the same.
async fn guard(shared: &Shared, id: &EntryKey, x: &Exchange, allow_overwrite: bool) -> Result<Guard, Fault> {
    match conditional::guard(&x.headers) {
        Guard::Matching(tags) if !allow_overwrite => {
            let tag = shared.catalog.entry(id).await?.map(|entry| entry.client_etag());
            if tag.is_some_and(|tag| tags.is_empty() || tags.contains(&tag)) {
                return Ok(Guard::SameBytes);
            }
            Err(Fault::client(
                Kind::PreconditionFailed,
                "the condition of the request does not hold",
            ))
        }
        Guard::None if !allow_overwrite => Ok(Guard::SameBytes),
        guard => Ok(guard),
    }
}

struct Staged {
    size: u64,
    digests: Digests,
}

/// Streams a body into an object, hashing off the HTTP worker. Dropped midway, nothing stays.
async fn stage(
    shared: &Shared,
    object: &ObjectName,
    put: &Publish,
    (mut body, room): (ByteStream, u64),
) -> Result<Staged, Fault> {
    let mut writer = shared.blobs.create(object).await?;
    let mut hasher = Hasher::new(put.algorithms());
    let (mut batch, mut size) = (BytesMut::with_capacity(BATCH), 0_u64);
    loop {
        let chunk = body.next().await.transpose()?;
        if let Some(chunk) = &chunk {
            size += chunk.len() as u64;
            batch.extend_from_slice(chunk);
        }
        if size > room {
            return Err(Fault::client(
                Kind::TooLarge,
                "the body is larger than the repository's quota",
            ));
        }
        if batch.len() >= BATCH || (chunk.is_none() && !batch.is_empty()) {
            let piece = batch.split().freeze();
            hasher = hash(hasher, piece.clone()).await?;
            writer.write(piece).await?;
        }
        if chunk.is_none() {
            break;
        }
    }
    writer.commit().await?;
    Ok(Staged {
        size,
        digests: hasher.finish(),
    })
}

async fn hash(mut hasher: Hasher, piece: Bytes) -> Result<Hasher, Fault> {
    crate::blocking(move || {
        hasher.update(&piece);
        Ok(hasher)
    })
    .await
}

fn entry(
    shared: &Shared,
    mount: &Mount,
    x: &Exchange,
    (want, object, staged): (&Want, &ObjectName, Staged),
) -> Entry {
    let now = shared.clock.now();
    let said = x.headers.get("content-type").map(str::to_owned);
    let known = want.media.map(str::to_owned).or(said);
    Entry {
        id: EntryKey::new(mount.id(), want.key.clone()),
        digest: staged.digests.sha256,
        object: object.clone(),
        size: staged.size,
        lifetime: Lifetime::Hosted,
        media: known.unwrap_or_else(|| media::by_name(want.key.file_name()).to_owned()),
        etag: None,
        last_modified: Some(now.http_date()),
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: now,
        validated_at: now,
        expires_at: None,
    }
}

async fn commit_object(shared: &Shared, commit: Commit) -> Result<(u16, Entry), Fault> {
    let guard = commit.guard.clone();
    match shared.commit(commit).await? {
        Committed::Stored { entry, replaced, .. } => Ok((if replaced.is_some() { 200 } else { 201 }, *entry)),
        refused => Err(refusal(&refused, &guard)),
    }
}

fn refusal(refused: &Committed, guard: &Guard) -> Fault {
    match (refused, guard) {
        (Committed::Refused, Guard::SameBytes) => Fault::client(
            Kind::Conflict,
            "other bytes exist under this name, and the repository keeps them",
        ),
        (Committed::Refused, _) => Fault::client(
            Kind::PreconditionFailed,
            "the condition of the request does not hold",
        ),
        (Committed::OverQuota, _) => {
            Fault::client(Kind::TooLarge, "the repository's quota would be exceeded")
        }
        (Committed::NoRepository, _) => Fault::not_found("the repository was deleted meanwhile"),
        (Committed::Stored { .. } | Committed::PinnedOther(_), _) => {
            Fault::new(Kind::Internal, "the catalog answered a write with nonsense")
        }
    }
}

fn created(status: u16, entry: &Entry) -> Served {
    let mut headers = Headers::from_iter([("etag", entry.client_etag())]);
    headers.set("repr-digest", repr_digest(entry));
    mark(&mut headers, Outcome::Local, None);
    let response = Response {
        status,
        headers,
        body: Body::Bytes(Bytes::new()),
        outcome: Outcome::Local,
    };
    Served {
        response,
        entry: None,
    }
}

/// `Repr-Digest` of RFC 9530 §3.
fn repr_digest(entry: &Entry) -> String {
    use base64::Engine as _;
    let bytes = hex::decode(entry.digest.hex()).unwrap_or_default();
    format!(
        "sha-256=:{}:",
        base64::engine::general_purpose::STANDARD.encode(bytes)
    )
}

/// Removes a hosted object.
pub(crate) async fn delete(
    shared: &Shared,
    mount: &Mount,
    x: &Exchange,
    want: &Want,
) -> Result<Served, Fault> {
    if mount.repository.local().is_none() {
        return Err(Fault::client(Kind::MethodNotAllowed, "a remote takes no writes"));
    }
    let id = EntryKey::new(mount.id(), want.key.clone());
    match shared
        .catalog
        .remove_guarded(&id, &conditional::guard(&x.headers))
        .await?
    {
        None => Err(Fault::not_found("this repository hosts no such object")),
        Some(false) => Err(Fault::client(
            Kind::PreconditionFailed,
            "the condition of the request does not hold",
        )),
        Some(true) => {
            tell(shared, mount, &id, "delete", 0);
            let mut headers = Headers::new();
            mark(&mut headers, Outcome::Local, None);
            Ok(Response {
                status: 204,
                headers,
                body: Body::Empty,
                outcome: Outcome::Local,
            }
            .into())
        }
    }
}

fn tell(shared: &Shared, mount: &Mount, id: &EntryKey, outcome: &str, bytes: u64) {
    shared.handles.events.tell(Event {
        kind: EventKind::Push,
        remote: Some(mount.name().to_owned()),
        path: Some(id.key.path().to_owned()),
        at: shared.clock.now(),
        outcome: outcome.to_owned(),
        bytes: Some(bytes),
    });
}
