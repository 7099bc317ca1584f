//! Policy: which paths a remote serves at all, and which of them may change.
//!
//! Patterns are unanchored searches in the decoded path, without leading slash and without query. They are linear
//! in time: look-around and back-references are refused, with a reason that says so.

mod check;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

pub use self::check::{Network, validate};
use crate::entry::Lifetime;
use crate::fault::FieldError;
use crate::key::Key;
use crate::repository::RemoteSettings;

/// Most patterns in one list.
const MAX_PATTERNS: usize = 1_000;
/// Largest compiled pattern in bytes; a list may have eight times that.
const MAX_COMPILED: usize = 1 << 20;

/// The compiled patterns of a repository.
#[derive(Clone, Debug)]
pub struct Policy {
    blocked: RegexSet,
    allowed: RegexSet,
    mutable: RegexSet,
    immutable: RegexSet,
}

/// Whether a path is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Allowed,
    /// It is not, for this reason.
    Denied(&'static str),
}

impl Policy {
    /// Compiles the four pattern lists of a remote; errors name list and position (`patterns.0`).
    pub fn compile(settings: &RemoteSettings) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut list = |field, patterns| {
            compile_list(field, patterns).unwrap_or_else(|found| {
                errors.extend(found);
                RegexSet::empty()
            })
        };
        let policy = Self {
            blocked: list("blocklist", &settings.blocklist),
            allowed: list("patterns", &settings.patterns),
            mutable: list("mutable_patterns", &settings.mutable_patterns),
            immutable: list("immutable_patterns", &settings.immutable_patterns),
        };
        if errors.is_empty() {
            Ok(policy)
        } else {
            Err(errors)
        }
    }

    /// No patterns at all: everything is served, and its type decides its lifetime.
    pub fn open() -> Self {
        Self {
            blocked: RegexSet::empty(),
            allowed: RegexSet::empty(),
            mutable: RegexSet::empty(),
            immutable: RegexSet::empty(),
        }
    }

    /// Whether `key` is served. The blocklist comes first and holds for all; `service` documents, those of the
    /// whole repository, need not match the allowed patterns.
    ///
    /// A slash that the client left encoded counts as a slash, since upstream may well take it for one. For the
    /// blocklist, and for it alone, it counts as written too.
    pub fn admit(&self, key: &Key, service: bool) -> Admission {
        let path = subject(key);
        if self.blocked.is_match(&path) || self.blocked.is_match(key.path()) {
            return Admission::Denied("the blocklist of this repository refuses this path");
        }
        if service || self.allowed.is_empty() || self.allowed.is_match(&path) {
            return Admission::Allowed;
        }
        Admission::Denied("this path is not among the allowed patterns of this repository")
    }

    /// The lifetime of `key`, which its type takes for `by_type`. Where both overrides match, mutable wins; what is
    /// hosted stays hosted.
    pub fn lifetime(&self, key: &Key, by_type: Lifetime) -> Lifetime {
        let path = subject(key);
        if by_type == Lifetime::Hosted {
            Lifetime::Hosted
        } else if self.mutable.is_match(&path) {
            Lifetime::Mutable
        } else if self.immutable.is_match(&path) {
            Lifetime::Immutable
        } else {
            by_type
        }
    }
}

/// What patterns are searched in: the path, decoded to the last.
fn subject(key: &Key) -> String {
    key.path().replace("%2F", "/").replace("%3F", "?")
}

fn compile_list(field: &str, patterns: &[String]) -> Result<RegexSet, Vec<FieldError>> {
    if patterns.len() > MAX_PATTERNS {
        let reason = format!("has more than {MAX_PATTERNS} patterns");
        return Err(vec![FieldError::new(field, reason)]);
    }
    let errors: Vec<FieldError> = patterns
        .iter()
        .enumerate()
        .filter_map(|(index, pattern)| {
            let error = compile_one(pattern).err()?;
            Some(FieldError::new(format!("{field}.{index}"), reason(&error)))
        })
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    RegexSetBuilder::new(patterns)
        .size_limit(8 * MAX_COMPILED)
        .build()
        .map_err(|error| vec![FieldError::new(field, reason(&error))])
}

fn compile_one(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build()
}

/// Compiles one pattern; the error is one line on what is wrong with it.
pub fn pattern(pattern: &str) -> Result<Regex, String> {
    compile_one(pattern).map_err(|error| reason(&error))
}

/// One line on what is wrong with a pattern.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let short = last.trim_start_matches("error: ");
    if short.starts_with("look-around") {
        return format!("{short}; say what is refused in `blocklist`, which comes first");
    }
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return "is too large when compiled".to_owned();
    }
    short.to_owned()
}

#[cfg(test)]
mod tests;
