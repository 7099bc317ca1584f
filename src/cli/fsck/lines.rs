//! What a check found, as lines for people.

use artifactapi_engine::fsck::{Finding, Report};

/// A line for each finding and one for the whole.
pub(super) fn of(report: &Report) -> impl Iterator<Item = String> {
    let verdict = match (report.exit_code(), report.is_clean()) {
        (0, true) => "clean",
        (0, false) => "clean, with waste or repairs",
        _ => "damaged",
    };
    let checked = report.checked;
    let sum = format!(
        "{verdict}: {} rows, {} objects, {} bytes, {} of them rehashed",
        checked.rows, checked.objects, checked.bytes, checked.rehashed
    );
    report.findings.iter().map(line).chain([sum])
}

fn line(finding: &Finding) -> String {
    let repaired = if finding.repaired { ", repaired" } else { "" };
    let kind = finding.kind.as_str();
    format!("{kind}: {} ({}){repaired}", finding.name, finding.detail)
}
