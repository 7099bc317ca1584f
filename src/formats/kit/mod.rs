//! What several package types share: document models and small tables. Knows no package type.

pub mod media;

pub(crate) mod document;
pub(crate) mod fields;
pub(crate) mod seals;

#[cfg(test)]
pub(crate) mod testing;
