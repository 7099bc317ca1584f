//! What a check has found, for people and for programs.

use artifactapi_core::key::ObjectName;
use serde::Serialize;

/// What is wrong with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Entries name bytes whose object is not there.
    MissingObject,
    /// An object has not the number of bytes that its row says.
    WrongSize,
    /// The bytes of an object do not hash to its digest, or cannot be read.
    WrongDigest,
    /// An entry names a digest that no row knows.
    DanglingEntry,
    /// A row that no entry names has no object; the next entry with the same bytes would name it.
    RowWithoutObject,
    /// A row marked for deletion has lost its object already.
    HalfDeleted,
    /// No row knows the object.
    ObjectWithoutRow,
    /// A spool's file was left behind.
    StaleSpool,
    /// An object's temporary file was left behind.
    HalfWritten,
}

impl Damage {
    /// Whether an answer can be wrong or fail for it; otherwise it merely takes room.
    pub fn is_loss(self) -> bool {
        match self {
            Self::MissingObject
            | Self::WrongSize
            | Self::WrongDigest
            | Self::DanglingEntry
            | Self::RowWithoutObject => true,
            Self::HalfDeleted | Self::ObjectWithoutRow | Self::StaleSpool | Self::HalfWritten => false,
        }
    }

    /// Its name in reports, as documents have it, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingObject => "missing_object",
            Self::WrongSize => "wrong_size",
            Self::WrongDigest => "wrong_digest",
            Self::DanglingEntry => "dangling_entry",
            Self::RowWithoutObject => "row_without_object",
            Self::HalfDeleted => "half_deleted",
            Self::ObjectWithoutRow => "object_without_row",
            Self::StaleSpool => "stale_spool",
            Self::HalfWritten => "half_written",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: Damage,
    /// The object, the entry (`repository/path`) or the file.
    pub name: String,
    /// More about it, for people.
    pub detail: String,
    /// Whether an answer can be wrong or fail for it.
    pub damage: bool,
    /// Whether it has been repaired.
    pub repaired: bool,
}

impl Finding {
    pub(super) fn new(kind: Damage, name: String, detail: String) -> Self {
        Self {
            kind,
            name,
            detail,
            damage: kind.is_loss(),
            repaired: false,
        }
    }

    /// The name as an object's.
    pub(super) fn object(&self) -> ObjectName {
        ObjectName::stored(self.name.clone())
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Blob rows.
    pub rows: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes whose digest was computed anew.
    pub rehashed: u64,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How much was looked at.
    pub checked: Counts,
    /// Everything found, damage first, then by name.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The exit code of the command: 0 where nothing is damaged (waste may be reclaimed at any time), 1 where
    /// something is and was not repaired. That the check could not run is 2, and no report.
    pub fn exit_code(&self) -> u8 {
        let left = |finding: &Finding| finding.damage && !finding.repaired;
        u8::from(self.findings.iter().any(left))
    }

    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}
