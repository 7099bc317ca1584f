//! Pages as JSON (PEP 691, 700, 714, 740, 792).

mod read;
mod write;

pub(super) use read::{page, root};
pub(super) use write::{write_page, write_root};
