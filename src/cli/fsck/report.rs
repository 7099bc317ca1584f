//! What a check found, for people and for programs.

use serde::Serialize;

/// What can be wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Entries name an object that is not there.
    MissingObject,
    /// A blob that no entry names has a row and no object; the next entry of its digest would name it.
    RowWithoutObject,
    /// An object has another size than its row says.
    WrongSize,
    /// An object's bytes have another digest than its row says.
    WrongDigest,
    /// An entry names a blob that has no row.
    DanglingEntry,
    /// An object has no row. Waste: the collector takes it after its grace.
    ObjectWithoutRow,
    /// A row whose object is gone already, half-way through its deletion. Waste.
    HalfDeleted,
    /// The temporary file of a writer that ended before it was done. Waste.
    HalfWritten,
    /// The spool of a transfer that no process has open. Waste.
    StaleSpool,
}

impl Kind {
    /// Whether it can make a wrong or failing answer; the rest only takes room.
    fn is_damage(self) -> bool {
        self <= Self::DanglingEntry
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::MissingObject => "missing object",
            Self::RowWithoutObject => "row without object",
            Self::WrongSize => "wrong size",
            Self::WrongDigest => "wrong digest",
            Self::DanglingEntry => "dangling entry",
            Self::ObjectWithoutRow => "object without row",
            Self::HalfDeleted => "half-deleted row",
            Self::HalfWritten => "half-written file",
            Self::StaleSpool => "stale spool",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What.
    pub(super) kind: Kind,
    /// With which object, file or entry.
    pub(super) name: String,
    /// In what way, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) detail: String,
    /// Whether it makes wrong or failing answers.
    damage: bool,
    /// Whether it was put right just now.
    pub(super) repaired: bool,
}

impl Finding {
    pub(super) fn new(kind: Kind, name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            detail: detail.into(),
            damage: kind.is_damage(),
            repaired: false,
        }
    }

    /// The same, put right or not.
    pub(super) fn repaired_if(self, repaired: bool) -> Self {
        Self { repaired, ..self }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Rows of blobs.
    pub(super) rows: u64,
    /// Objects in the store.
    pub(super) objects: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
    /// Bytes whose digest was computed anew.
    pub(super) rehashed: u64,
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// What was looked at.
    pub(super) checked: Counts,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Whether damage is left.
    pub(super) fn is_damaged(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.damage && !finding.repaired)
    }

    /// The report for people.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let Counts {
            rows,
            objects,
            bytes,
            rehashed,
        } = self.checked;
        let verdict = match (self.is_damaged(), self.findings.len()) {
            (true, _) => "damaged",
            (false, 0) => "clean",
            (false, _) => "clean, with waste or repairs",
        };
        let sum =
            format!("{verdict}: {rows} rows, {objects} objects, {bytes} bytes, {rehashed} of them rehashed");
        self.findings.iter().map(line).chain([sum])
    }
}

fn line(finding: &Finding) -> String {
    let detail = if finding.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", finding.detail)
    };
    let repaired = if finding.repaired { ", repaired" } else { "" };
    format!("{}: {}{detail}{repaired}", finding.kind.as_str(), finding.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waste_and_repaired_damage_leave_a_store_clean() {
        let mut report = Report::default();
        report
            .findings
            .push(Finding::new(Kind::StaleSpool, "spools/x", ""));
        assert!(!report.is_damaged());
        report
            .findings
            .push(Finding::new(Kind::WrongSize, "blobs/x", "3 bytes instead of 5"));
        assert!(report.is_damaged());
        assert_eq!(
            report.lines().nth(1).unwrap(),
            "wrong size: blobs/x (3 bytes instead of 5)"
        );
        report.findings[1].repaired = true;
        assert!(!report.is_damaged());
    }
}
