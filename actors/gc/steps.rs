//! The steps of a collection, in their order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::Kind;
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::blobs::ObjectInfo;
use artifactapi_core::port::catalog::BlobRow;
use artifactapi_core::{Digest, Fault, Time};
use artifactapi_store::tie;

use super::{GcReport, GcRequest, Tools};

/// How long what writers left half done is kept at least where other replicas write too: nothing shows whether the writer
/// of a large upload still lives.
const SHARED_GRACE: Duration = Duration::from_hours(24);
/// Blobs or objects looked at together.
const BATCH: u32 = 256;

impl Tools {
    /// A whole collection. A step that fails is noted, and the next one done.
    pub(super) async fn collect(&self, request: GcRequest) -> GcReport {
        let started = self.clock.now();
        let grace = request.grace.unwrap_or(self.settings.grace);
        let mut report = GcReport {
            started,
            dry_run: request.dry_run,
            grace_seconds: grace.as_secs(),
            ..GcReport::default()
        };
        // Uses that still wait to be written would make hot entries look cold.
        self.log.flush().await;
        self.evict(&mut report).await;
        self.prune_log(&mut report).await;
        self.unnamed(started.minus(grace), &mut report).await;
        let safe = started.minus(grace.max(self.settings.orphan_grace));
        self.orphans(safe, &mut report).await;
        self.leftovers(safe, &mut report).await;
        let took = self.clock.now().since(started);
        report.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.tell(&report);
        report
    }

    fn tell(&self, report: &GcReport) {
        self.events.tell(Event {
            kind: EventKind::Gc,
            remote: None,
            path: None,
            at: self.clock.now(),
            outcome: report.outcome().to_owned(),
            bytes: Some(report.bytes),
        });
    }

    async fn prune_log(&self, report: &mut GcReport) {
        if report.dry_run {
            return;
        }
        let before = report.started.minus(self.settings.keep_log);
        match self.catalog.prune_log(before).await {
            Ok(rows) => report.log_rows = rows,
            Err(fault) => report.failed("access log", &fault),
        }
    }

    /// Deletes blobs that no entry has named since `before`.
    async fn unnamed(&self, before: Time, report: &mut GcReport) {
        let done = if report.dry_run {
            self.count_unnamed(report).await
        } else {
            self.delete_unnamed(before, report).await
        };
        if let Err(fault) = done {
            report.failed("blobs", &fault);
        }
    }

    async fn count_unnamed(&self, report: &mut GcReport) -> Result<(), Fault> {
        let mut after: Option<Digest> = None;
        loop {
            let rows = self.catalog.blobs(after.as_ref(), BATCH).await?;
            for row in rows.iter().filter(|row| row.references == 0) {
                report.deleted += 1;
                report.bytes += row.size;
            }
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.digest.clone());
        }
    }

    async fn delete_unnamed(&self, before: Time, report: &mut GcReport) -> Result<(), Fault> {
        loop {
            let rows = self.catalog.begin_deleting(before, BATCH).await?;
            let mut progress = false;
            for row in &rows {
                match self.delete_blob(row).await {
                    Ok(true) => {
                        progress = true;
                        report.deleted += 1;
                        report.bytes += row.size;
                    }
                    Ok(false) => progress = true,
                    Err(fault) => report.failed("blob", &fault),
                }
            }
            // Those that failed stay marked and come first again; they are left for the next collection.
            if !progress || rows.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// The object first: a crash in between leaves a row that is marked, which the next collection ends.
    async fn delete_blob(&self, row: &BlobRow) -> Result<bool, Fault> {
        self.blobs.delete(&row.object).await?;
        self.catalog.end_deleting(&row.digest, &row.object).await
    }

    /// Deletes objects from before `before` that have no row, unless catalog and blobs are not each other's any more.
    async fn orphans(&self, before: Time, report: &mut GcReport) {
        if let Err(fault) = tie::compared(self.catalog.as_ref(), self.blobs.as_ref()).await {
            report.failed("orphans", &fault);
            return;
        }
        for prefix in [ObjectName::BLOBS, ObjectName::UPLOADS] {
            self.orphans_under(prefix, before, report).await;
        }
    }

    async fn orphans_under(&self, prefix: &str, before: Time, report: &mut GcReport) {
        let mut after = None;
        loop {
            let page = self.blobs.list(prefix, after.as_ref(), BATCH as usize).await;
            let done = match page {
                Ok(page) if page.is_empty() => return,
                Ok(page) => {
                    after = page.last().map(|info| info.object.clone());
                    self.delete_orphans(page, before, report).await
                }
                Err(fault) => {
                    report.failed("orphans", &fault);
                    return;
                }
            };
            if let Err(fault) = done {
                report.failed("orphans", &fault);
            }
        }
    }

    async fn delete_orphans(
        &self,
        page: Vec<ObjectInfo>,
        before: Time,
        report: &mut GcReport,
    ) -> Result<(), Fault> {
        let old: Vec<_> = page.into_iter().filter(|info| info.modified < before).collect();
        let names: Vec<_> = old.iter().map(|info| info.object.clone()).collect();
        // Asked after the listing: a row that appeared meanwhile keeps its object.
        let known = self.catalog.known_objects(&names).await?;
        for info in old.iter().filter(|info| !known.contains(&info.object)) {
            if report.dry_run || self.blobs.delete(&info.object).await? {
                report.orphans += 1;
                report.bytes += info.size;
            }
        }
        Ok(())
    }

    /// Removes what writers and spools left behind before `before`.
    async fn leftovers(&self, before: Time, report: &mut GcReport) {
        let abandoned = if self.blobs.is_shared() {
            before.min(report.started.minus(SHARED_GRACE))
        } else {
            before
        };
        let halves = if report.dry_run {
            let names = self.blobs.leftovers(abandoned).await;
            names.map(|names| names.len() as u64)
        } else {
            self.blobs.sweep(abandoned).await
        };
        for (step, found) in [
            ("half-written files", halves),
            ("spools", self.spools(before, report.dry_run).await),
        ] {
            match found {
                Ok(found) => report.leftovers += found,
                Err(fault) => report.failed(step, &fault),
            }
        }
    }

    async fn spools(&self, before: Time, dry_run: bool) -> Result<u64, Fault> {
        let spools = Arc::clone(&self.spools);
        let work = move || -> io::Result<u64> {
            if dry_run {
                return Ok(spools.leftovers(before)?.len() as u64);
            }
            spools.sweep(before)
        };
        let swept = tokio::task::spawn_blocking(work).await;
        swept
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| Fault::ours(Kind::StoreUnavailable, "leftover spools cannot be removed", error))
    }
}
