//! Catalog: the truth about repositories, entries, blobs, facts and the ledger. One trait per concern.

use std::sync::Arc;

use async_trait::async_trait;

use super::Result;
use crate::clock::Time;
use crate::digest::Digest;
use crate::entry::{Entry, EntryKey, Use};
use crate::key::{Key, ObjectName};
use crate::plan::Fact;
use crate::repository::{RepoId, Repository};

/// Everything a catalog offers.
pub trait Catalog: Repositories + Entries + Facts + BlobRows + Journal + Send + Sync + 'static {
    /// The kind of database, for health (`sqlite`, `postgresql`).
    fn kind(&self) -> &'static str;

    /// Whether several processes may use the catalog at once.
    fn is_shared(&self) -> bool;
}

/// What became of creating a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It exists now.
    Done,
    /// The name is taken.
    NameTaken,
}

/// Repositories.
#[async_trait]
pub trait Repositories {
    /// Rises with every change that others must take into their memory: of repositories, of pins that moved, and every
    /// removal of entries. Written in the same transaction as the change.
    async fn epoch(&self) -> Result<i64>;

    /// All of them, by name.
    async fn repositories(&self) -> Result<Vec<Repository>>;

    /// Adds one.
    async fn create_repository(&self, repository: &Repository) -> Result<Created>;

    /// Replaces the settings of the one with this id if its revision is still `expected`; `false` otherwise.
    /// With `drop_entries` everything it cached goes in the same transaction.
    async fn replace_repository(
        &self,
        repository: &Repository,
        expected: i64,
        drop_entries: bool,
    ) -> Result<bool>;

    /// Removes one with everything it holds, if its revision is still `expected`; `false` otherwise.
    async fn delete_repository(&self, id: RepoId, expected: i64) -> Result<bool>;

    /// Seals every secret anew with the first of the keys as they are by now. No revision rises, for nothing changes
    /// but the form in which secrets rest.
    async fn reseal(&self) -> Result<Resealed>;
}

/// What became of sealing every secret anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// The id of the key that seals now.
    pub key: String,
    /// Whether the keys stand in a file, which was read again.
    pub reread: bool,
    /// Secrets that were sealed with another key, or not at all, and are sealed with this one now.
    pub resealed: u64,
    /// Secrets that this key had sealed before.
    pub already: u64,
    /// Secrets that stay as they are, because no key opens them.
    pub failed: u64,
}

/// What must hold before an entry is written or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    #[default]
    None,
    /// No entry of this name (`If-None-Match: *`).
    Absent,
    /// An entry of this name whose client validator is among these; empty means any (`If-Match`).
    Matching(Vec<String>),
    /// No entry of this name with other bytes (`allow_overwrite = false`).
    SameBytes,
    /// No entry of this name that upstream confirmed after this moment: what was fetched from here on by others is
    /// newer than what we began to fetch then.
    NotNewerThan(Time),
}

/// Bytes that are durable, about to be made visible. One transaction.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The entry, its `object` the one just written.
    pub entry: Entry,
    /// The revision of its repository under whose settings it came about; `None` if any will do.
    pub revision: Option<i64>,
    /// What must hold; checked under the write lock.
    pub guard: Guard,
    /// What to do about the first digest seen under this name.
    pub pin: Pin,
    /// What the document says about files; `Some` replaces all earlier facts of this owner.
    pub facts: Option<Vec<Fact>>,
    /// Most bytes the repository may hold afterwards; 0 is no limit.
    pub quota: u64,
}

/// The rule about the first digest seen under an immutable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Does not apply.
    No,
    /// Other bytes than first seen are refused.
    Hold,
    /// Other bytes than first seen are accepted and become the pinned ones.
    Move,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// Visible. The entry names the object that holds the bytes: an earlier one if they were stored already
    /// (then the new object is garbage).
    Stored {
        /// As it stands in the catalog now.
        entry: Box<Entry>,
        /// Digest of what it replaced, if that differs or not; `None` when the name was free.
        replaced: Option<Digest>,
        /// The pinned digest that it moved away from.
        moved_pin: Option<Digest>,
    },
    /// The guard did not hold.
    Refused,
    /// Other bytes are pinned under this name.
    PinnedOther(Digest),
    /// The quota would be exceeded.
    OverQuota,
    /// The repository does not exist any more, or has another revision by now.
    NoRepository,
}

/// An entry in a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// How it was used.
    pub usage: Use,
}

/// Which entries of a repository to list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Only keys that begin so.
    pub prefix: String,
    /// Only keys in which this occurs, case-sensitive.
    pub search: String,
    /// Only keys after this one and its variant, in byte order.
    pub after: Option<(String, String)>,
    /// At most this many.
    pub limit: u32,
}

/// How much a repository holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entries.
    pub objects: u64,
    /// Bytes of its entries, each counted in full.
    pub bytes: u64,
}

/// Entries.
#[async_trait]
pub trait Entries {
    /// The entry of this identity.
    async fn entry(&self, id: &EntryKey) -> Result<Option<Entry>>;

    /// Makes durable bytes visible, with everything that depends on them, in one transaction.
    async fn commit(&self, commit: Commit) -> Result<Committed>;

    /// The digest first seen under an immutable name; it outlives eviction.
    async fn pinned(&self, id: &EntryKey) -> Result<Option<Digest>>;

    /// Upstream confirmed the copy: moves its times, and its validators where given. `false` if it has gone, changed,
    /// or was confirmed later already.
    async fn revalidated(&self, entry: &Entry) -> Result<bool>;

    /// Removes entries; each with its expected digest, if given. Pins stay unless `forget`. Gives what was removed.
    async fn remove(&self, ids: &[(EntryKey, Option<Digest>)], forget: bool) -> Result<Vec<Entry>>;

    /// Removes one entry if the guard holds; `None` if there was none, `Some(false)` if the guard did not hold.
    async fn remove_guarded(&self, id: &EntryKey, guard: &Guard) -> Result<Option<bool>>;

    /// A page of entries in byte order of their keys.
    async fn page(&self, repo: RepoId, page: &Page) -> Result<Vec<Listed>>;

    /// Entries by last use, the least recent first; `unused_since` limits it to those not used after that moment.
    async fn coldest(&self, repo: RepoId, unused_since: Option<Time>, limit: u32) -> Result<Vec<Listed>>;

    /// How much a repository holds.
    async fn usage(&self, repo: RepoId) -> Result<Usage>;
}

/// What indexes say about files, and the ledger of first sights.
#[async_trait]
pub trait Facts {
    /// The fact of this name that the index `owner` stated.
    async fn fact(&self, repo: RepoId, owner: &Key, id: &str) -> Result<Option<Fact>>;

    /// When a version was first seen and what its registry claims; `None` if never seen.
    async fn ledger(&self, repo: RepoId, package: &str, version: &str) -> Result<Option<LedgerRow>>;
}

/// A row of the publish ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// When an index first named it.
    pub first_seen: Time,
    /// When its registry says it was published.
    pub published: Option<Time>,
    /// The field that said so.
    pub source: Option<String>,
}

/// A blob row: which object holds a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// The digest.
    pub digest: Digest,
    /// The object.
    pub object: ObjectName,
    /// Size in bytes.
    pub size: u64,
    /// Whether it is marked for deletion.
    pub deleting: bool,
    /// How many entries name it.
    pub references: u64,
}

/// Blobs as rows, for the collector and `fsck`.
#[async_trait]
pub trait BlobRows {
    /// A page of blob rows in order of digest.
    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<BlobRow>>;

    /// Which of these objects have a row.
    async fn known_objects(&self, objects: &[ObjectName]) -> Result<Vec<ObjectName>>;

    /// Marks blobs that no entry has named since `before` as deleting; gives them, with those marked earlier.
    async fn begin_deleting(&self, before: Time, limit: u32) -> Result<Vec<BlobRow>>;

    /// Drops a row that is marked as deleting and still names this object; `false` otherwise.
    async fn end_deleting(&self, digest: &Digest, object: &ObjectName) -> Result<bool>;

    /// The object is missing or damaged: drops its row with every cached entry on it, keeps hosted entries.
    /// Gives the entries that were dropped.
    async fn condemn(&self, object: &ObjectName) -> Result<Vec<Entry>>;

    /// Entries whose blob has no row, at most `limit`; always empty unless the catalog is damaged.
    async fn dangling(&self, limit: u32) -> Result<Vec<EntryKey>>;
}

/// One served request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// When it ended.
    pub at: Time,
    /// The repository's name; empty where there is none.
    pub repo: Arc<str>,
    /// Method.
    pub method: &'static str,
    /// The path below the repository.
    pub path: Arc<str>,
    /// HTTP status.
    pub status: u16,
    /// The outcome's word.
    pub outcome: &'static str,
    /// Whether the stored copy answered.
    pub hit: bool,
    /// Body bytes sent.
    pub bytes: u64,
    /// Microseconds until the head was ready.
    pub micros: u64,
}

/// An entry was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Which.
    pub id: EntryKey,
    /// The latest use.
    pub at: Time,
    /// How many uses.
    pub hits: u64,
}

/// Counters of one repository in one span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatRow {
    /// Begin of the span.
    pub from: Time,
    /// The repository's name.
    pub repo: String,
    /// Requests.
    pub requests: u64,
    /// Requests that the stored copy answered.
    pub hits: u64,
    /// Body bytes sent.
    pub bytes: u64,
    /// Body bytes of hits: what was not fetched again.
    pub bytes_saved: u64,
}

/// The access log, statistics, and small settings.
#[async_trait]
pub trait Journal {
    /// Appends rows, adds them to the statistics, and records uses of entries, in one transaction.
    async fn record(&self, rows: &[LogRow], touches: &[Touch]) -> Result<()>;

    /// Statistics per repository and hour since `since`, oldest first.
    async fn statistics(&self, since: Time) -> Result<Vec<StatRow>>;

    /// Drops log rows before `before`; gives their number. Statistics stay.
    async fn prune_log(&self, before: Time) -> Result<u64>;

    /// A small value kept over restarts.
    async fn setting(&self, name: &str) -> Result<Option<String>>;

    /// Sets a value if there is none; gives the one that holds now.
    async fn settle(&self, name: &str, value: &str) -> Result<String>;
}
