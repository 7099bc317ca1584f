//! `[access]`: who may do what before there are tokens.

use super::section::section;
use crate::fault::FieldError;
use crate::repository::Secret;

/// Shortest admin token.
const SHORTEST: usize = 8;

section! {
    /// Who may do what before there are tokens.
    Access = "access" {
        /// The admin token; without one, a token is made at the first start and left in the data folder.
        admin_token: Option<Secret> = None;
        /// Whether `/metrics` needs no token.
        metrics_open: bool = true;
    }
}

impl Access {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let fit = |token: &Secret| token.0.len() >= SHORTEST && token.0.bytes().all(|b| b.is_ascii_graphic());
        if self.admin_token.as_ref().is_none_or(fit) {
            return Vec::new();
        }
        let reason = "must be at least 8 characters of printable ASCII without spaces";
        vec![FieldError::new("admin_token", reason)]
    }
}
