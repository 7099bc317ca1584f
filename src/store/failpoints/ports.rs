//! The ports with a point before and after every effect. A method that a port gains does not compile until it says here
//! whether it has an effect; the list of points is made by the same macro.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Time;
use artifactapi_core::digest::Digest;
use artifactapi_core::entry::{Entry, EntryKey};
use artifactapi_core::key::{Key, ObjectName};
use artifactapi_core::plan::Fact;
use artifactapi_core::port::blobs::{BlobWriter, Blobs, ObjectInfo};
use artifactapi_core::port::catalog::{
    BlobRow, BlobRows, Catalog, Commit, Committed, Created, Entries, Facts, Guard, Journal, LedgerRow,
    Listed, LogRow, Page, Repositories, Resealed, StatRow, Touch, Usage,
};
use artifactapi_core::port::hot::{Hearing, Hot};
use artifactapi_core::port::{ByteStream, ReadSeek, Result};
use artifactapi_core::repository::{RepoId, Repository};
use async_trait::async_trait;
use url::Url;

use super::Ports;
use super::trigger::pass;

/// A store with points around its effects.
struct Armed<P: ?Sized>(Arc<P>);

/// A writer of one object with points around its effects.
struct Writer(Box<dyn BlobWriter>);

impl Writer {
    fn around(writer: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        Box::new(Self(writer))
    }
}

/// Wraps all three.
pub(super) fn around((catalog, blobs, hot): Ports) -> Ports {
    (
        Arc::new(Armed(catalog)),
        Arc::new(Armed(blobs)),
        Arc::new(Armed(hot)),
    )
}

/// Implements the ports: `effects` with their points, `reads` without, `facts` without waiting, `always` without
/// asking. `then` is applied to what an effect gives.
macro_rules! ports {
    ($($port:literal: $trait:ident for $armed:ty {
        effects { $($effect:ident($this:ident: $me:ty $(, $give:ident: $given:ty)*) -> $made:ty $(, then $wrap:path)?;)* }
        reads { $($read:ident($that:ident: $who:ty $(, $ask:ident: $asked:ty)*) -> $told:ty;)* }
        facts { $($fact:ident -> $known:ty;)* }
        $(always { $($claim:ident -> $kind:ty = $value:expr;)* })?
    })+) => {
        /// Every point, in the order of the ports.
        pub(super) const POINTS: &[&str] = &[$($(
            concat!($port, ".", stringify!($effect), ".before"),
            concat!($port, ".", stringify!($effect), ".after"),
        )*)+];

        $(#[async_trait]
        impl $trait for $armed {
            $(async fn $effect($this: $me $(, $give: $given)*) -> Result<$made> {
                pass(concat!($port, ".", stringify!($effect), ".before"));
                let made = $this.0.$effect($($give),*).await?;
                pass(concat!($port, ".", stringify!($effect), ".after"));
                $(let made = $wrap(made);)?
                Ok(made)
            })*
            $(async fn $read($that: $who $(, $ask: $asked)*) -> Result<$told> {
                $that.0.$read($($ask),*).await
            })*
            $(fn $fact(&self) -> $known {
                self.0.$fact()
            })*
            $($(fn $claim(&self) -> $kind {
                $value
            })*)?
        })+
    };
}

ports! {
    "blobs": Blobs for Armed<dyn Blobs> {
        effects {
            create(self: &Self, object: &ObjectName) -> Box<dyn BlobWriter>, then Writer::around;
            delete(self: &Self, object: &ObjectName) -> bool;
            sweep(self: &Self, older_than: Time) -> u64;
        }
        reads {
            open(self: &Self, object: &ObjectName, span: Option<Range<u64>>) -> Option<ByteStream>;
            source(self: &Self, object: &ObjectName) -> Option<Box<dyn ReadSeek>>;
            size(self: &Self, object: &ObjectName) -> Option<u64>;
            list(self: &Self, prefix: &str, after: Option<&ObjectName>, limit: usize) -> Vec<ObjectInfo>;
            leftovers(self: &Self, older_than: Time) -> Vec<String>;
            link(self: &Self, object: &ObjectName, media: &str, lifetime: Duration) -> Option<Url>;
            check(self: &Self) -> ();
        }
        facts { is_shared -> bool; kind -> &'static str; }
    }
    "writer": BlobWriter for Writer {
        effects {
            write(self: &mut Self, chunk: bytes::Bytes) -> ();
            commit(self: Box<Self>) -> u64;
        }
        reads {}
        facts {}
    }
    "catalog": Catalog for Armed<dyn Catalog> {
        effects {}
        reads {}
        facts { kind -> &'static str; is_shared -> bool; }
    }
    "repositories": Repositories for Armed<dyn Catalog> {
        effects {
            create_repository(self: &Self, repository: &Repository) -> Created;
            replace_repository(self: &Self, repository: &Repository, expected: i64, drop_entries: bool) -> bool;
            delete_repository(self: &Self, id: RepoId, expected: i64) -> bool;
            reseal(self: &Self) -> Resealed;
        }
        reads {
            epoch(self: &Self) -> i64;
            repositories(self: &Self) -> Vec<Repository>;
        }
        facts {}
    }
    "entries": Entries for Armed<dyn Catalog> {
        effects {
            commit(self: &Self, commit: Commit) -> Committed;
            revalidated(self: &Self, entry: &Entry) -> bool;
            remove(self: &Self, ids: &[(EntryKey, Option<Digest>)], forget: bool) -> Vec<Entry>;
            remove_guarded(self: &Self, id: &EntryKey, guard: &Guard) -> Option<bool>;
        }
        reads {
            entry(self: &Self, id: &EntryKey) -> Option<Entry>;
            pinned(self: &Self, id: &EntryKey) -> Option<Digest>;
            page(self: &Self, repo: RepoId, page: &Page) -> Vec<Listed>;
            coldest(self: &Self, repo: RepoId, unused_since: Option<Time>, limit: u32) -> Vec<Listed>;
            usage(self: &Self, repo: RepoId) -> Usage;
        }
        facts {}
    }
    "facts": Facts for Armed<dyn Catalog> {
        effects {}
        reads {
            fact(self: &Self, repo: RepoId, owner: &Key, id: &str) -> Option<Fact>;
            ledger(self: &Self, repo: RepoId, package: &str, version: &str) -> Option<LedgerRow>;
        }
        facts {}
    }
    "blob_rows": BlobRows for Armed<dyn Catalog> {
        effects {
            begin_deleting(self: &Self, before: Time, limit: u32) -> Vec<BlobRow>;
            end_deleting(self: &Self, digest: &Digest, object: &ObjectName) -> bool;
            condemn(self: &Self, object: &ObjectName) -> Vec<Entry>;
        }
        reads {
            blobs(self: &Self, after: Option<&Digest>, limit: u32) -> Vec<BlobRow>;
            known_objects(self: &Self, objects: &[ObjectName]) -> Vec<ObjectName>;
            dangling(self: &Self, limit: u32) -> Vec<EntryKey>;
        }
        facts {}
    }
    "journal": Journal for Armed<dyn Catalog> {
        effects {
            record(self: &Self, rows: &[LogRow], touches: &[Touch]) -> ();
            prune_log(self: &Self, before: Time) -> u64;
            settle(self: &Self, name: &str, value: &str) -> String;
        }
        reads {
            statistics(self: &Self, since: Time) -> Vec<StatRow>;
            setting(self: &Self, name: &str) -> Option<String>;
        }
        facts {}
    }
    "hot": Hot for Armed<dyn Hot> {
        effects {
            set(self: &Self, key: &str, value: Vec<u8>, ttl: Duration) -> ();
            delete(self: &Self, key: &str) -> ();
            acquire(self: &Self, key: &str, owner: &str, ttl: Duration) -> bool;
            release(self: &Self, key: &str, owner: &str) -> ();
            publish(self: &Self, channel: &str, message: Vec<u8>) -> ();
        }
        reads {
            get(self: &Self, key: &str) -> Option<Vec<u8>>;
            listen(self: &Self, channel: &str) -> Hearing;
            check(self: &Self) -> ();
        }
        facts { kind -> &'static str; }
        // So that what only replicas do passes its points on every store.
        always { is_shared -> bool = true; }
    }
}
