//! Requests and repositories for tests.

use artifactapi_core::plan::{Ask, Plan, Verb, Want};
use artifactapi_core::{Fault, Headers, Key};

use crate::Repo;

/// A remote whose upstream nobody has set.
pub(crate) const REMOTE: Repo<'static> = Repo {
    name: "r",
    local: false,
    index: None,
};

/// A local.
pub(crate) const LOCAL: Repo<'static> = Repo {
    name: "l",
    local: true,
    index: None,
};

/// A request without query and header fields; `path` is as it stands in a request target.
pub(crate) fn ask(verb: Verb, path: &str) -> Ask {
    Ask {
        verb,
        key: Key::decode(path).unwrap(),
        query: String::new(),
        headers: Headers::new(),
    }
}

/// A GET without query and header fields.
pub(crate) fn get(path: &str) -> Ask {
    ask(Verb::Get, path)
}

/// What a plan serves.
#[track_caller]
pub(crate) fn served(plan: Result<Plan, Fault>) -> Want {
    let plan = plan.unwrap();
    let Plan::Serve(want) = plan else {
        panic!("{plan:?} serves nothing");
    };
    want
}
