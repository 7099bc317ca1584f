//! `/api/v2/{remotes,locals}/{name}/objects`.

mod evict;
mod list;

pub(crate) use evict::handle as evict;
pub(crate) use list::handle as list;
