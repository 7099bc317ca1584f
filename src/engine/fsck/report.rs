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
    FlippedByte,
    /// An entry names a digest that no row knows.
    DanglingLink,
    /// A row that no entry needs has no object.
    RowWithoutObject,
    /// No row knows the object.
    ObjectWithoutRow,
    /// A spool's file was left behind.
    StaleSpool,
    /// An object's temporary file was left behind.
    HalfWritten,
}

impl Damage {
    /// Whether bytes that somebody may ask for are lost; otherwise something is merely in the way.
    pub fn is_loss(self) -> bool {
        match self {
            Self::MissingObject | Self::WrongSize | Self::FlippedByte | Self::DanglingLink => true,
            Self::RowWithoutObject | Self::ObjectWithoutRow | Self::StaleSpool | Self::HalfWritten => false,
        }
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingObject => "missing object",
            Self::WrongSize => "wrong size",
            Self::FlippedByte => "flipped byte",
            Self::DanglingLink => "dangling link",
            Self::RowWithoutObject => "row without object",
            Self::ObjectWithoutRow => "object without row",
            Self::StaleSpool => "stale spool",
            Self::HalfWritten => "half-written temporary",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub damage: Damage,
    /// The object, the entry (`repository/path`) or the file.
    pub name: String,
    /// More about it, for people.
    pub detail: String,
    /// Whether it has been repaired.
    pub repaired: bool,
}

impl Finding {
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
    /// Bytes read and hashed.
    pub bytes_hashed: u64,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Everything found, losses first, then by name.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Report {
    /// The exit code of the command: 0 where nothing is lost (leftovers may be reclaimed at any time), 1 where
    /// something is and was not repaired. That the check could not run is 2, and no report.
    pub fn exit_code(&self) -> u8 {
        let lost = |finding: &Finding| finding.damage.is_loss() && !finding.repaired;
        u8::from(self.findings.iter().any(lost))
    }

    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}
