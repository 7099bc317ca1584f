//! Eviction: one path, a prefix, a pattern, or everything. In a local it is deletion.

use artifactapi_api::objects::{EvictQuery, Evicted};
use artifactapi_core::Entry;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::key::Key;
use artifactapi_core::policy;
use artifactapi_core::port::catalog::{Listed, Page};
use artifactapi_core::repository::{RepoId, Repository};
use regex::Regex;

use super::{Admin, Refused, Stored};

/// How many entries are looked at and removed at once.
const BATCH: u32 = 500;

/// Which entries go.
enum Selection {
    Path(Key),
    Prefix(String),
    Pattern(Box<Regex>),
    All,
}

impl Selection {
    /// Reads a query, which must name exactly one way to choose.
    fn read(query: &EvictQuery) -> Result<Self, Refused> {
        let ways = [
            query.path.is_some(),
            query.prefix.is_some(),
            query.pattern.is_some(),
            query.all == Some(true),
        ];
        if ways.into_iter().filter(|given| *given).count() != 1 {
            let what = "exactly one of path, prefix, pattern and all=true says what goes";
            return Err(Fault::client(Kind::BadRequest, what).into());
        }
        if let Some(path) = &query.path {
            let path = path.strip_prefix('/').unwrap_or(path);
            return Ok(Self::Path(Key::new(path)?));
        }
        if let Some(pattern) = &query.pattern {
            let pattern = policy::pattern(pattern).map_err(|reason| Refused::field("pattern", reason))?;
            return Ok(Self::Pattern(Box::new(pattern)));
        }
        Ok(query.prefix.clone().map_or(Self::All, Self::Prefix))
    }

    /// What every chosen key begins with.
    fn prefix(&self) -> &str {
        match self {
            Self::Path(key) => key.as_str(),
            Self::Prefix(prefix) => prefix,
            Self::Pattern(_) | Self::All => "",
        }
    }

    fn chooses(&self, key: &Key) -> bool {
        match self {
            Self::Path(path) => path == key,
            Self::Prefix(_) | Self::All => true,
            Self::Pattern(pattern) => pattern.is_match(key.path()),
        }
    }

    /// Whether nothing after `key` can be chosen any more.
    fn is_over(&self, key: &Key) -> bool {
        matches!(self, Self::Path(path) if path != key)
    }

    /// What watchers are told.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Path(key) => Some(key.as_str().to_owned()),
            Self::Prefix(prefix) => Some(prefix.clone()),
            Self::Pattern(pattern) => Some(pattern.as_str().to_owned()),
            Self::All => None,
        }
    }
}

impl Admin {
    /// Evicts from a remote, or deletes from a local, what the query chooses. What arrives meanwhile may stay.
    pub async fn evict<S: Stored>(&self, name: &str, query: &EvictQuery) -> Result<Evicted, Refused> {
        let selection = Selection::read(query)?;
        let repository = self.find::<S>(name).await?;
        let forget = query.forget.unwrap_or(false);
        let mut done = Evicted::default();
        let mut after = None;
        loop {
            let page = Page {
                prefix: selection.prefix().to_owned(),
                search: String::new(),
                after: after.take(),
                limit: BATCH,
            };
            let listed = self.parts.catalog.page(repository.id, &page).await?;
            let removed = self
                .remove_chosen(&listed, repository.id, &selection, forget)
                .await?;
            done.evicted += removed.len() as u64;
            done.bytes += removed.iter().map(|entry| entry.size).sum::<u64>();
            match listed.last() {
                Some(last) if listed.len() == BATCH as usize && !selection.is_over(&last.entry.id.key) => {
                    let id = &last.entry.id;
                    after = Some((id.key.as_str().to_owned(), id.variant.clone()));
                }
                _ => break,
            }
        }
        self.tell_evicted(&repository, &selection, done);
        Ok(done)
    }

    async fn remove_chosen(
        &self,
        listed: &[Listed],
        repo: RepoId,
        selection: &Selection,
        forget: bool,
    ) -> Result<Vec<Entry>, Refused> {
        let mut ids: Vec<_> = listed
            .iter()
            .map(|listed| &listed.entry.id)
            .filter(|id| selection.chooses(&id.key))
            .map(|id| (id.clone(), None))
            .collect();
        // What was evicted earlier is pinned still, and is not listed any more.
        if let Selection::Path(key) = selection
            && forget
            && ids.is_empty()
        {
            ids.push((EntryKey::new(repo, key.clone()), None));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.parts.catalog.remove(&ids, forget).await?;
        self.parts.changes.evicted(&removed);
        Ok(removed)
    }

    fn tell_evicted(&self, repository: &Repository, selection: &Selection, done: Evicted) {
        if done.evicted == 0 {
            return;
        }
        let (kind, outcome) = match repository.local() {
            Some(_) => (EventKind::Push, "deleted"),
            None => (EventKind::Evict, "evicted"),
        };
        self.tell(Event {
            path: selection.shown(),
            bytes: Some(done.bytes),
            ..self.event(kind, &repository.name, outcome)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(
        path: Option<&str>,
        prefix: Option<&str>,
        pattern: Option<&str>,
        all: Option<bool>,
    ) -> EvictQuery {
        EvictQuery {
            path: path.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
            pattern: pattern.map(str::to_owned),
            all,
            forget: None,
        }
    }

    #[test]
    fn none_and_several_ways_to_choose_are_refused() {
        for wrong in [
            query(None, None, None, None),
            query(None, None, None, Some(false)),
            query(Some("a"), Some("a"), None, None),
            query(None, None, Some("a"), Some(true)),
        ] {
            let refused = Selection::read(&wrong).err().unwrap();
            assert_eq!(refused.fault.kind, Kind::BadRequest, "{wrong:?}");
        }
    }

    #[test]
    fn a_path_is_decoded_already_and_a_pattern_is_searched() {
        let path = Selection::read(&query(Some("/a b/c"), None, None, None)).unwrap();
        assert!(path.chooses(&Key::new("a b/c").unwrap()));
        assert!(!path.chooses(&Key::new("a b/cd").unwrap()));
        let pattern = Selection::read(&query(None, None, Some(r"\.txt$"), None)).unwrap();
        assert!(pattern.chooses(&Key::new("x/y.txt").unwrap()));
        assert!(!pattern.chooses(&Key::new("x/y.txt.gz").unwrap()));
        let queried = Key::new("x/y.txt?z=1").unwrap();
        assert!(pattern.chooses(&queried), "patterns see no query");
    }

    #[test]
    fn look_around_is_refused_with_the_field() {
        let refused = Selection::read(&query(None, None, Some("a(?=b)"), None))
            .err()
            .unwrap();
        assert_eq!(refused.fault.kind, Kind::Invalid);
        assert!(refused.errors[0].field == "pattern" && refused.errors[0].reason.contains("look-around"));
    }
}
