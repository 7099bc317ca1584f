//! generic
use artifactapi_core::Fault;
use artifactapi_core::plan::{Ask, Plan};

use crate::{Describe, Format, Repo};

/// generic
#[derive(Clone, Copy, Debug)]
pub struct Generic;

impl Format for Generic {
    fn describe(&self) -> Describe {
        Describe {
            name: "generic",
            about: "",
            mutable_ttl: 300,
            allow_overwrite: true,
            hosts: true,
            snippets: &[],
        }
    }

    fn route(&self, _ask: &Ask, _repo: &Repo<'_>) -> Result<Plan, Fault> {
        Err(Fault::not_found("no such path"))
    }
}
