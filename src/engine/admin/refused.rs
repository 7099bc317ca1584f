//! Why an operation was refused: a fault, and the fields it is about.

use artifactapi_api::Problem;
use artifactapi_core::fault::{Fault, FieldError, Kind};

/// A refused operation.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What went wrong.
    pub fault: Fault,
    /// The fields it is about; empty for most faults.
    pub errors: Vec<FieldError>,
}

impl Refused {
    /// A document that says something that cannot be.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self {
            fault: Fault::client(Kind::Invalid, "the document is refused; `errors` says why"),
            errors,
        }
    }

    /// One field that says something that cannot be.
    pub fn field(name: &str, reason: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(name, reason)])
    }

    /// The problem document.
    pub fn problem(&self) -> Problem {
        Problem::from(&self.fault).with_errors(self.errors.clone())
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            errors: Vec::new(),
        }
    }
}

impl From<Vec<FieldError>> for Refused {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::fields(errors)
    }
}
