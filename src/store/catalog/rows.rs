//! Rows as values of `core`, and back. What does not fit is damage, and said so.

use std::fmt::Display;
use std::str::FromStr;

use artifactapi_core::entry::{EntryKey, Lifetime, Use};
use artifactapi_core::fault::Fault;
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Fact, Subject};
use artifactapi_core::port::catalog::{BlobRow, Listed};
use artifactapi_core::{Digest, Entry, Key, RepoId, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::db::{Cell, Row};
use crate::trouble::damaged;

/// Walks over a row's columns from left to right.
pub(super) struct Columns<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r Row) -> Self {
        Self { row, at: 0 }
    }

    /// The next column as the database has it.
    pub(super) fn next<T: Cell<'r>>(&mut self) -> Result<T, Fault> {
        let value = self.row.get(self.at);
        self.at += 1;
        value
    }

    /// The next column as text that is parsed.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self) -> Result<T, Fault> {
        self.next::<&str>()?.parse().map_err(bad)
    }

    /// The next column as a count.
    pub(super) fn count(&mut self) -> Result<u64, Fault> {
        Ok(count(self.next()?))
    }

    pub(super) fn time(&mut self) -> Result<Time, Fault> {
        self.next().map(Time)
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        serde_json::from_str(self.next()?).map_err(bad)
    }

    pub(super) fn repo(&mut self) -> Result<RepoId, Fault> {
        self.parsed().map(RepoId)
    }

    pub(super) fn entry_key(&mut self) -> Result<EntryKey, Fault> {
        Ok(EntryKey {
            repo: self.repo()?,
            key: Key::new(self.next::<String>()?).map_err(bad)?,
            variant: self.next()?,
        })
    }
}

/// A whole entry with its use, as selected by `sql::select_entries!`.
pub(super) fn listed(row: &Row) -> Result<Listed, Fault> {
    let mut columns = Columns::of(row);
    let entry = Entry {
        id: columns.entry_key()?,
        digest: columns.parsed()?,
        object: ObjectName::stored(columns.next::<String>()?),
        size: columns.count()?,
        lifetime: lifetime(columns.next()?)?,
        media: columns.next()?,
        etag: columns.next()?,
        last_modified: columns.next()?,
        kept: columns.json()?,
        source_url: columns.next()?,
        proven: columns.next()?,
        fetched_at: columns.time()?,
        validated_at: columns.time()?,
        expires_at: columns.next::<Option<i64>>()?.map(Time),
    };
    let usage = Use {
        last_access: columns.time()?,
        hits: columns.count()?,
    };
    Ok(Listed { entry, usage })
}

/// An entry as selected by `sql::select_entries!`.
pub(super) fn entry(row: &Row) -> Result<Entry, Fault> {
    listed(row).map(|listed| listed.entry)
}

pub(super) fn blob(row: &Row) -> Result<BlobRow, Fault> {
    let mut columns = Columns::of(row);
    Ok(BlobRow {
        digest: columns.parsed()?,
        object: ObjectName::stored(columns.next::<String>()?),
        size: columns.count()?,
        deleting: columns.next()?,
        references: columns.count()?,
    })
}

pub(super) fn fact(row: &Row) -> Result<Fact, Fault> {
    let mut columns = Columns::of(row);
    let id = columns.next()?;
    let url = columns.next()?;
    let digests = columns.next::<&str>()?.split_whitespace().map(Digest::from_str);
    let digests = digests.collect::<Result<_, _>>().map_err(bad)?;
    let size = columns.next::<Option<i64>>()?.map(count);
    let subject = Subject {
        package: columns.next()?,
        version: columns.next()?,
    };
    let published: Option<i64> = columns.next()?;
    let source: Option<String> = columns.next()?;
    Ok(Fact {
        id,
        url,
        digests,
        size,
        subject,
        published: published.map(Time).zip(source),
    })
}

fn lifetime(name: &str) -> Result<Lifetime, Fault> {
    Lifetime::named(name).ok_or_else(|| bad(name))
}

/// A count as the database's integer.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The database's integer as a count.
pub(super) fn count(int: i64) -> u64 {
    u64::try_from(int).unwrap_or(0)
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| damaged("a value cannot be stored", error))
}

fn bad(error: impl Display) -> Fault {
    damaged("the catalog holds a value that makes no sense", error)
}
