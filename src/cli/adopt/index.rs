//! An index as a client of this machine names it, and the remote that stands for it.

use artifactapi_core::repository::Secret;
use percent_encoding::percent_decode_str;
use url::Url;

/// An index that a client uses, its credentials taken out of the URL.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    /// Where it is; holds no credentials.
    pub(super) url: Url,
    /// User name that stood in the URL.
    pub(super) username: Option<String>,
    /// Password that stood in the URL.
    pub(super) password: Option<Secret>,
    /// Who says so, for people.
    pub(super) told_by: String,
}

impl Index {
    /// Reads the URL of an index; `None` if it is no `http` or `https` URL (pip takes folders, too).
    pub(super) fn read(text: &str, told_by: impl Into<String>) -> Option<Self> {
        let mut url = Url::parse(text.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let username = Some(url.username()).filter(|name| !name.is_empty()).map(decoded);
        let password = url.password().map(decoded).map(Secret);
        url.set_username("").and_then(|()| url.set_password(None)).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(Self {
            url,
            username,
            password,
            told_by: told_by.into(),
        })
    }

    /// Whether two clients mean the same index; a slash at the end makes no difference.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let place = |index: &Self| index.url.as_str().trim_end_matches('/').to_owned();
        place(self) == place(other) && self.username == other.username && self.password == other.password
    }

    /// Whether it lies on a server of ours already.
    pub(super) fn is_at(&self, endpoint: &Url) -> bool {
        self.url.origin() == endpoint.origin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_url_decoded() {
        let index = Index::read("https://me%40h:p%3Aw@index.example/simple?x#y", "test").unwrap();
        assert_eq!(index.url.as_str(), "https://index.example/simple");
        assert_eq!(index.username.as_deref(), Some("me@h"));
        assert_eq!(index.password, Some(Secret("p:w".into())));
        assert!(!format!("{index:?}").contains("p:w"));
    }

    #[test]
    fn folders_are_no_index() {
        assert_eq!(Index::read("/srv/wheels", "test"), None);
        assert_eq!(Index::read("file:///srv/wheels", "test"), None);
    }

    #[test]
    fn a_slash_at_the_end_makes_no_other_index_but_a_user_does() {
        let read = |text| Index::read(text, "test").unwrap();
        assert!(read("https://index.example/simple").same_as(&read("https://index.example/simple/")));
        assert!(!read("https://index.example/simple").same_as(&read("https://me@index.example/simple")));
    }
}
