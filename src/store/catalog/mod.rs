//! The port of the catalog implemented in SQL, one file per concern, for SQLite and PostgreSQL alike.
//!
//! Every statement stands once and holds on both. What differs: how a database is opened and migrated, how many rows a
//! statement takes, and that on PostgreSQL transactions run beside each other. There everybody who changes entries
//! locks the repository first, then the blobs whose references change, each in order of their names, then asks and
//! writes; what a transaction needs of a blob it asks after it has the lock. So two replicas never lose a blob, exceed
//! a quota, or let two guards hold at once.

mod blob_rows;
mod commit;
mod db;
mod entries;
mod facts;
mod journal;
mod migrate;
pub mod postgres;
mod repositories;
mod rows;
mod secrets;
mod sql;
pub mod sqlite;
mod tables;
pub mod transfer;
