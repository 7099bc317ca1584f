//! What a page of the index says, whichever form it came in. Unknown members of JSON stay as they were written.
//!
//! Text is borrowed from the document where that is possible; nothing here is checked beyond its shape, except that
//! file names are safe, unique, and come with an address that can be fetched.

use std::borrow::Cow;
use std::collections::HashSet;

use url::Url;

use super::names;
use crate::kit::fields::Fields;

/// Version of the API that a page without one has (PEP 629).
pub(super) const OLDEST: &str = "1.0";

/// A project's page.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) meta: Meta<'a>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) status: Option<Status<'a>>,
    pub(super) files: Vec<File<'a>>,
    /// Further members, `versions` among them.
    pub(super) rest: Fields<'a>,
    /// The first `<base href>` of an HTML page.
    pub(super) base: Option<Cow<'a, str>>,
    /// Whether it was HTML, which knows neither sizes nor versions.
    pub(super) was_html: bool,
}

impl Page<'_> {
    /// What relative references of the page are relative to: `<base href>`, else the URL that answered.
    pub(super) fn base(&self, answered: Option<&Url>) -> Option<Url> {
        let stated = self.base.as_deref().and_then(|base| resolve(answered, base));
        stated.or_else(|| answered.cloned())
    }

    /// Leaves out files that cannot be offered: unsafe or repeated names, references that are no HTTP.
    pub(super) fn keep_servable_files(&mut self, answered: Option<&Url>) {
        let base = self.base(answered);
        let mut seen = HashSet::with_capacity(self.files.len());
        let keep: Vec<bool> = self
            .files
            .iter()
            .map(|file| {
                names::is_safe_file(&file.name)
                    && resolve(base.as_ref(), &file.url).is_some()
                    && seen.insert(&*file.name)
            })
            .collect();
        let mut keep = keep.into_iter();
        self.files.retain(|_| keep.next().unwrap_or(false));
    }
}

/// A reference as an absolute HTTP URL without fragment.
pub(super) fn resolve(base: Option<&Url>, reference: &str) -> Option<Url> {
    let mut url = Url::options().base_url(base).parse(reference).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// The list of all projects.
#[derive(Debug, Default)]
pub(super) struct Root<'a> {
    pub(super) meta: Meta<'a>,
    pub(super) projects: Vec<Project<'a>>,
    pub(super) rest: Fields<'a>,
}

/// A project in the list.
#[derive(Debug)]
pub(super) struct Project<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) rest: Fields<'a>,
}

/// What a page says of itself.
#[derive(Debug, Default)]
pub(super) struct Meta<'a> {
    pub(super) api_version: Option<Cow<'a, str>>,
    pub(super) rest: Fields<'a>,
}

impl Meta<'_> {
    /// The version of the API that the page follows.
    pub(super) fn version(&self) -> &str {
        self.api_version.as_deref().unwrap_or(OLDEST)
    }
}

/// Whether a project is still looked after (PEP 792).
#[derive(Debug, Default)]
pub(super) struct Status<'a> {
    pub(super) word: Cow<'a, str>,
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) rest: Fields<'a>,
}

/// A distribution.
#[derive(Debug, Default)]
pub(super) struct File<'a> {
    pub(super) name: Cow<'a, str>,
    /// Where it is, as the page says it.
    pub(super) url: Cow<'a, str>,
    pub(super) hashes: Hashes<'a>,
    pub(super) requires_python: Option<Cow<'a, str>>,
    pub(super) metadata: Option<Sidecar<'a>>,
    pub(super) signed: Option<bool>,
    pub(super) yanked: Option<Yanked<'a>>,
    pub(super) size: Option<u64>,
    pub(super) upload_time: Option<Cow<'a, str>>,
    pub(super) provenance: Option<Cow<'a, str>>,
    pub(super) rest: Fields<'a>,
}

/// Names of hash functions with hexadecimal values.
pub(super) type Hashes<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Whether core metadata lies beside a file (PEP 658, 714).
#[derive(Debug)]
pub(super) enum Sidecar<'a> {
    No,
    Yes,
    Hashed(Hashes<'a>),
}

/// Whether a file was yanked (PEP 592).
#[derive(Debug)]
pub(super) enum Yanked<'a> {
    No,
    Yes,
    Because(Cow<'a, str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_references_can_be_fetched() {
        let base: Url = "https://h.example/simple/a/".parse().unwrap();
        let resolved = |reference: &str| resolve(Some(&base), reference).map(String::from);
        for (reference, url) in [
            ("a.whl#x", "https://h.example/simple/a/a.whl"),
            ("../a:b.whl", "https://h.example/simple/a:b.whl"),
            ("//o.example/a", "https://o.example/a"),
            ("HTTP://o.example", "http://o.example/"),
        ] {
            assert_eq!(resolved(reference).as_deref(), Some(url), "{reference}");
        }
        for bad in [
            "ftp://h.example/a",
            "javascript:x",
            "file:///a",
            "data:,x",
            "https://[x/a",
        ] {
            assert_eq!(resolved(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_of_equal_names_stays_and_unsafe_ones_go() {
        let file = |name: &'static str, url: &'static str| File {
            name: name.into(),
            url: url.into(),
            ..File::default()
        };
        let base: Url = "https://h.example/simple/a/".parse().unwrap();
        let mut page = Page {
            files: vec![
                file("a.zip", "1"),
                file("../b", "2"),
                file("c.zip", "ftp://h.example/c.zip"),
                file("a.zip", "4"),
            ],
            ..Page::default()
        };
        page.keep_servable_files(Some(&base));
        let left: Vec<_> = page.files.iter().map(|file| &*file.url).collect();
        assert_eq!(left, ["1"]);
    }
}
