//! Eviction: cached entries that nobody uses, and the coldest of a remote that holds too much.

use artifactapi_core::entry::EntryKey;
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::port::catalog::Listed;
use artifactapi_core::repository::RemoteSettings;
use artifactapi_core::{Digest, Fault, Repository, Time};

use super::{GcReport, Tools};

/// Entries removed together.
const BATCH: u32 = 256;
/// Entries a dry run looks at per remote and rule.
const DRY_BATCH: u32 = 10_000;

/// What is to go, from whom and why.
struct Rule<'a> {
    repository: &'a Repository,
    /// One word for events.
    why: &'static str,
    /// Only what was not used after this moment.
    unused_since: Option<Time>,
    /// How many bytes are to go; `u64::MAX` where that does not matter.
    bytes: u64,
}

impl Tools {
    /// Evicts from every remote what its settings say.
    pub(super) async fn evict(&self, report: &mut GcReport) {
        for repository in (self.repositories)() {
            let Some(settings) = repository.remote() else {
                continue;
            };
            if let Err(fault) = self.evict_from(&repository, settings, report).await {
                report.failed(&format!("eviction from {}", repository.name), &fault);
            }
        }
    }

    async fn evict_from(
        &self,
        repository: &Repository,
        settings: &RemoteSettings,
        report: &mut GcReport,
    ) -> Result<(), Fault> {
        if settings.max_unused > 0 {
            let unused = std::time::Duration::from_secs(settings.max_unused);
            let rule = Rule {
                repository,
                why: "unused",
                unused_since: Some(report.started.minus(unused)),
                bytes: u64::MAX,
            };
            self.carry_out(rule, report).await?;
        }
        if settings.max_cache_bytes > 0 {
            let held = self.catalog.usage(repository.id).await?.bytes;
            let rule = Rule {
                repository,
                why: "size",
                unused_since: None,
                bytes: held.saturating_sub(settings.max_cache_bytes),
            };
            self.carry_out(rule, report).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, mut rule: Rule<'_>, report: &mut GcReport) -> Result<(), Fault> {
        let batch = if report.dry_run { DRY_BATCH } else { BATCH };
        while rule.bytes > 0 {
            let coldest = self
                .catalog
                .coldest(rule.repository.id, rule.unused_since, batch)
                .await?;
            let doomed = enough(coldest, rule.bytes);
            let (count, bytes) = if report.dry_run {
                sum(&doomed)
            } else {
                self.remove(&rule, doomed).await?
            };
            report.evicted += count;
            report.evicted_bytes += bytes;
            // Entries that were replaced since they were listed stay; the next collection looks at them.
            if report.dry_run || count == 0 {
                return Ok(());
            }
            rule.bytes = rule.bytes.saturating_sub(bytes);
        }
        Ok(())
    }

    async fn remove(&self, rule: &Rule<'_>, doomed: Vec<Listed>) -> Result<(u64, u64), Fault> {
        let ids: Vec<(EntryKey, Option<Digest>)> = doomed
            .into_iter()
            .map(|listed| (listed.entry.id, Some(listed.entry.digest)))
            .collect();
        if ids.is_empty() {
            return Ok((0, 0));
        }
        let removed = self.catalog.remove(&ids, false).await?;
        let bytes = removed.iter().map(|entry| entry.size).sum();
        if !removed.is_empty() {
            (self.evicted)(&removed);
            self.events.tell(Event {
                kind: EventKind::Evict,
                remote: Some(rule.repository.name.clone()),
                path: None,
                at: self.clock.now(),
                outcome: rule.why.to_owned(),
                bytes: Some(bytes),
            });
        }
        Ok((removed.len() as u64, bytes))
    }
}

/// As many from the front as it takes to make up `bytes`.
fn enough(coldest: Vec<Listed>, bytes: u64) -> Vec<Listed> {
    let mut sum = 0_u64;
    coldest
        .into_iter()
        .take_while(|listed| {
            let is_needed = sum < bytes;
            sum = sum.saturating_add(listed.entry.size);
            is_needed
        })
        .collect()
}

fn sum(listed: &[Listed]) -> (u64, u64) {
    (
        listed.len() as u64,
        listed.iter().map(|listed| listed.entry.size).sum(),
    )
}
