//! What several package types share: document models and small tables. Knows no package type.

pub mod media;
#[cfg(test)]
pub(crate) mod testing;
