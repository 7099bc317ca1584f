//! The port of the catalog implemented in SQL, one file per concern.

mod blob_rows;
mod commit;
mod entries;
mod facts;
mod journal;
mod migrate;
mod repositories;
mod rows;
mod secrets;
mod sql;
pub mod sqlite;
