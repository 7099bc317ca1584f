//! Requests and repositories for tests.

use artifactapi_core::entry::{EntryKey, Lifetime};
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Ask, Plan, Verb, Want};
use artifactapi_core::{Digest, Entry, Fault, Headers, Key, RepoId, Time};
use uuid::Uuid;

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

/// An entry of this key in some repository.
pub(crate) fn entry(key: Key) -> Entry {
    Entry {
        id: EntryKey::new(RepoId(Uuid::nil()), key),
        digest: Digest::sha256(b""),
        object: ObjectName::stored("blobs/x"),
        size: 0,
        lifetime: Lifetime::Mutable,
        media: "text/html".to_owned(),
        etag: None,
        last_modified: None,
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: Time::default(),
        validated_at: Time::default(),
        expires_at: None,
    }
}
