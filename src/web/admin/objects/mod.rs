//! `/api/v2/{remotes,locals}/{name}/objects`.

mod evict;
mod list;

#[cfg(test)]
mod tests;

pub(crate) use evict::handle as evict;
pub(crate) use list::handle as list;
