//! A catalog copied into another one, whichever databases they are on: what an installation takes along when it moves.
//!
//! The copy is marked in the target from its beginning to its end, and remembers how far it is in the transaction that
//! brings the rows there: whoever is interrupted begins again and goes on. A marked catalog is not to be served. Objects
//! are not carried here; they must be there before the rows that name them.
//!
//! Repositories go through the port, since each catalog seals secrets with keys of its own.

mod tables;

use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::{Journal as _, Repositories as _};

use self::tables::{ALL, Table};
use super::db::{Db, End, Query, Row, Tx, Value, transaction};
use super::tables::{Dialect, Tables};
use crate::trouble::damaged;
use crate::vault::CHECK_NAME;

/// The setting that marks the target of a copy; its value says where the copy comes from.
pub const MARK: &str = "import";
/// The setting that names an installation; its blobs carry the same name. What is moved gets the name of its new place.
pub const INSTALLATION: &str = "installation";
/// What the settings begin with that say how far a table is.
const CURSOR: &str = "import.";
/// Rows read together.
const PAGE: i64 = 1_000;

/// How many rows a copy brought, by table.
pub type Copied = Vec<(&'static str, u64)>;

/// Marks the target as one that `source` is copied into. Refuses one that is in use, or another's target.
pub async fn begin<D: Dialect>(to: &Tables<D>, source: &str) -> Result<(), Fault> {
    if to.setting(MARK).await?.is_none() && !to.repositories().await?.is_empty() {
        return Err(refused(
            "the target holds repositories already: import into an empty one",
        ));
    }
    match to.settle(MARK, source).await? {
        holds if holds == source => Ok(()),
        other => Err(refused(format!(
            "the target waits for the rest of an import of {other}"
        ))),
    }
}

/// Copies all rows that are not there yet. A source that has gained or lost rows between two runs is found out; one whose
/// rows have changed otherwise is not.
pub async fn rows<A: Dialect, B: Dialect>(from: &Tables<A>, to: &Tables<B>) -> Result<Copied, Fault> {
    let mut copied = vec![("repositories", repositories(from, to).await?)];
    for table in ALL {
        copied.push((table.name, copy(&from.db, &to.db, table).await?));
        if table.name != "settings" && count(&from.db, table).await? != count(&to.db, table).await? {
            let what = format!(
                "{} has changed since the import began: begin anew with an empty target",
                table.name
            );
            return Err(refused(what));
        }
    }
    Ok(copied)
}

/// Takes the mark off: the target is whole.
pub async fn end<D: Dialect>(to: &Tables<D>) -> Result<(), Fault> {
    transaction!(&to.db, |tx| unmark(&mut tx))
}

async fn unmark(tx: &mut Tx) -> Result<End<()>, Fault> {
    for table in ALL {
        let cursor = format!("{CURSOR}{}", table.name);
        tx.run(Query::new(tables::FORGET).bind(cursor)).await?;
    }
    if let Tx::Server(_) = tx {
        tx.first(Query::new(tables::COUNT_ON)).await?;
    }
    tx.run(Query::new(tables::FORGET).bind(MARK)).await?;
    Ok(End::Commit(()))
}

async fn repositories<A: Dialect, B: Dialect>(from: &Tables<A>, to: &Tables<B>) -> Result<u64, Fault> {
    let there = to.repositories().await?;
    let mut copied = 0;
    for repository in from.repositories().await? {
        if !there.iter().any(|known| known.id == repository.id) {
            to.create_repository(&repository).await?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// Copies a table, from where an earlier run came to.
async fn copy(from: &Db, to: &Db, table: &Table) -> Result<u64, Fault> {
    let name = format!("{CURSOR}{}", table.name);
    let mut after = match to.first(Query::new(tables::SETTING).bind(&name)).await? {
        Some(row) => remembered(&row.get::<String>(0)?)?,
        None => table.keys().map(|key| key.least()).collect(),
    };
    let mut copied = 0;
    loop {
        let query = after.iter().cloned().fold(Query::new(table.page), Query::bind);
        let page = from.all(query.bind(PAGE).slow()).await?;
        let page = page.iter().map(|row| values(table, row));
        let page = page.collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else {
            return Ok(copied);
        };
        after = last.iter().take(table.keys().count()).cloned().collect();
        let cursor = text_of(&after)?;
        transaction!(to, |tx| put(&mut tx, table, &page, (&name, &cursor)))?;
        copied += page.len() as u64;
    }
}

async fn count(db: &Db, table: &Table) -> Result<i64, Fault> {
    db.one(Query::new(table.count).slow()).await?.get(0)
}

async fn put(
    tx: &mut Tx,
    table: &Table,
    page: &[Vec<Value<'static>>],
    (name, cursor): (&str, &str),
) -> Result<End<()>, Fault> {
    let takes = tx.rows();
    let ours = |row: &&Vec<Value<'static>>| !table.leaves_out(row);
    let page: Vec<_> = page.iter().filter(ours).collect();
    for rows in page.chunks(takes) {
        let query = Query::rows(table.put, rows.len(), takes);
        let values = rows.iter().flat_map(|row| row.iter().cloned());
        tx.run(values.fold(query, Query::bind)).await?;
    }
    tx.run(Query::new(tables::REMEMBER).bind(name).bind(cursor))
        .await?;
    Ok(End::Commit(()))
}

fn values(table: &Table, row: &Row) -> Result<Vec<Value<'static>>, Fault> {
    let columns = table.columns.iter().enumerate();
    columns.map(|(at, column)| column.value(row, at)).collect()
}

/// A place in a table, as text.
fn text_of(key: &[Value<'static>]) -> Result<String, Fault> {
    let parts = key.iter().map(|value| match value {
        Value::Int(int) => serde_json::json!(int),
        Value::Bool(bool) => serde_json::json!(bool),
        Value::Text(text) => serde_json::json!(text),
    });
    serde_json::to_string(&parts.collect::<Vec<_>>()).map_err(unreadable)
}

fn remembered(text: &str) -> Result<Vec<Value<'static>>, Fault> {
    let parts: Vec<serde_json::Value> = serde_json::from_str(text).map_err(unreadable)?;
    let value = |part: serde_json::Value| match part {
        serde_json::Value::String(text) => Value::from(text),
        part => Value::Int(part.as_i64()),
    };
    Ok(parts.into_iter().map(value).collect())
}

fn unreadable(error: serde_json::Error) -> Fault {
    damaged("how far an import came cannot be read", error)
}

fn refused(what: impl Into<String>) -> Fault {
    Fault::new(Kind::Conflict, what)
}

impl Table {
    /// Settings that are the target's own.
    fn leaves_out(&self, row: &[Value<'static>]) -> bool {
        let Some(Value::Text(Some(name))) = row.first() else {
            return false;
        };
        let own = [CHECK_NAME, MARK, INSTALLATION].contains(&name.as_ref());
        self.name == "settings" && (own || name.starts_with(CURSOR))
    }
}

#[cfg(test)]
mod tests;
