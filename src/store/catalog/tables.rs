//! The port of the catalog over any of the databases: one type, whose concerns are in one file each.

use std::sync::Arc;

use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::{Clock, Time};

use super::db::Db;
use crate::vault::Vault;

/// What sets a database that speaks `D` apart.
pub trait Dialect: Clone + Send + Sync + 'static {
    /// Its name, for health.
    const NAME: &'static str;
    /// Whether several processes may use it at once.
    const SHARED: bool;
}

/// A catalog in a database that speaks `D`. Clones share its connections.
#[derive(Clone)]
pub struct Tables<D> {
    pub(super) db: Db,
    /// The keys of its secrets; none where it was opened for reading alone.
    pub(super) vault: Option<Arc<Vault>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dialect: D,
}

impl<D: Dialect> Tables<D> {
    /// Closes all connections. SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        self.db.close().await;
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }
}

impl<D: Dialect> Catalog for Tables<D> {
    fn kind(&self) -> &'static str {
        D::NAME
    }

    fn is_shared(&self) -> bool {
        D::SHARED
    }
}
