//! The tables that are copied, with the statements that read and write them. Their keys come first among the columns.

use artifactapi_core::fault::Fault;

use crate::catalog::db::{Row, Value};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// A part of the key, text.
    Name,
    /// A part of the key, a number.
    Number,
    Text,
    Int,
    Bool,
}
use Column::{Bool, Int, Name, Number, Text};

/// A table.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Reads the rows behind a key, in order.
    pub(super) page: &'static str,
    /// Writes a row; one that is there is as it will be.
    pub(super) put: &'static str,
    /// Counts the rows.
    pub(super) count: &'static str,
}

impl Column {
    /// What is before every key.
    pub(super) fn least(self) -> Value<'static> {
        match self {
            Number => Value::from(i64::MIN),
            Name | Text | Int | Bool => Value::from(String::new()),
        }
    }

    pub(super) fn value(self, row: &Row, at: usize) -> Result<Value<'static>, Fault> {
        match self {
            Name | Text => Ok(row
                .get::<Option<String>>(at)?
                .map_or(Value::Text(None), Value::from)),
            Number | Int => Ok(Value::Int(row.get(at)?)),
            Bool => Ok(Value::Bool(row.get(at)?)),
        }
    }
}

impl Table {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Column> {
        self.columns
            .iter()
            .filter(|column| matches!(column, Name | Number))
    }
}

/// A table whose columns are given twice: as names, and what they hold.
macro_rules! table {
    ($name:literal, $keys:literal > $places:literal limit $limit:literal, $columns:literal, $values:literal, $holds:expr) => {
        Table {
            name: $name,
            columns: $holds,
            page: concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $name,
                " WHERE (",
                $keys,
                ") > (",
                $places,
                ") ORDER BY ",
                $keys,
                " LIMIT ",
                $limit
            ),
            put: concat!(
                "INSERT INTO ",
                $name,
                " (",
                $columns,
                ") VALUES (",
                $values,
                ") ON CONFLICT (",
                $keys,
                ") DO NOTHING"
            ),
            count: concat!("SELECT count(*) FROM ", $name),
        }
    };
}

/// All of them, in an order in which every row finds what it refers to.
pub(super) const ALL: &[Table] = &[
    table!("blobs", "digest" > "$1" limit "$2", "digest, object, size, deleting, unreferenced_since",
        "$1, $2, $3, $4, $5", &[Name, Text, Int, Bool, Int]),
    table!("entries", "repo, key, variant" > "$1, $2, $3" limit "$4",
        "repo, key, variant, digest, size, lifetime, media, etag, last_modified, kept, source_url, proven, \
         fetched_at, validated_at, expires_at, last_access, hits",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17",
        &[Name, Name, Name, Text, Int, Text, Text, Text, Text, Text, Text, Bool, Int, Int, Int, Int, Int]),
    table!("pins", "repo, key, variant" > "$1, $2, $3" limit "$4", "repo, key, variant, digest", "$1, $2, $3, $4",
        &[Name, Name, Name, Text]),
    table!("facts", "repo, owner, id" > "$1, $2, $3" limit "$4",
        "repo, owner, id, url, digests, size, package, version, published, source",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
        &[Name, Name, Name, Text, Text, Int, Text, Text, Int, Text]),
    table!("ledger", "repo, package, version" > "$1, $2, $3" limit "$4",
        "repo, package, version, first_seen, published, source", "$1, $2, $3, $4, $5, $6",
        &[Name, Name, Name, Int, Int, Text]),
    table!("stats", "hour, repo" > "$1, $2" limit "$3", "hour, repo, requests, hits, bytes, bytes_saved",
        "$1, $2, $3, $4, $5, $6", &[Number, Name, Int, Int, Int, Int]),
    table!("access_log", "id" > "$1" limit "$2", "id, at, repo, method, path, status, outcome, hit, bytes, micros",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
        &[Number, Int, Text, Text, Text, Int, Text, Bool, Int, Int]),
    table!("settings", "name" > "$1" limit "$2", "name, value", "$1, $2", &[Name, Text]),
];

/// How far a table is.
pub(super) const SETTING: &str = "SELECT value FROM settings WHERE name = $1";
/// Remembers how far a table is.
pub(super) const REMEMBER: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
/// Forgets a setting.
pub(super) const FORGET: &str = "DELETE FROM settings WHERE name = $1";
/// PostgreSQL counts rows of the log on from the last one copied.
pub(super) const COUNT_ON: &str = "SELECT setval(pg_get_serial_sequence('access_log', 'id'), \
    (SELECT COALESCE(max(id), 0) + 1 FROM access_log))";
