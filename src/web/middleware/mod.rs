//! What every request passes, whoever answers it.

mod guard;

pub(crate) use guard::{Dialect, guard};
