//! Targets: where an order goes, as absolute URLs in the order in which they are tried.

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use artifactapi_core::plan::{At, Fact, Order};
use artifactapi_core::repository::RemoteSettings;
use url::Url;

/// The URLs for an order. Mirrors follow the base; what an index named is asked there only.
pub(crate) fn urls(order: &Order, settings: &RemoteSettings, fact: Option<&Fact>) -> Result<Vec<Url>, Fault> {
    let index = settings.index_url.as_ref().unwrap_or(&settings.base_url);
    let mut urls = match &order.at {
        At::Base(path) => mirrored(&settings.base_url, settings, |root| below(root, path)),
        At::Index(path) if settings.index_url.is_none() => {
            mirrored(index, settings, |root| below(root, path))
        }
        At::Index(path) => vec![below(index, path)],
        At::Fact => {
            let fact = fact.ok_or_else(|| Fault::not_found("no index of this repository names the file"))?;
            let url = fact.url.parse();
            vec![url.map_err(|e| {
                Fault::new(Kind::Broken, "the index names no usable URL for the file").because(e)
            })?]
        }
    };
    if !order.query.is_empty() {
        for url in &mut urls {
            url.set_query(Some(&order.query));
        }
    }
    Ok(urls)
}

fn mirrored(first: &Url, settings: &RemoteSettings, at: impl Fn(&Url) -> Url) -> Vec<Url> {
    std::iter::once(first)
        .chain(settings.mirrors.iter().map(|mirror| &mirror.url))
        .map(at)
        .collect()
}

/// An encoded path below a root; the root counts as a folder whether or not it ends in a slash.
fn below(root: &Url, path: &str) -> Url {
    let mut url = root.clone();
    url.set_path(&format!("{}/{path}", root.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use artifactapi_core::repository::Mirror;

    use super::*;

    fn order(at: At, query: &str) -> Order {
        Order {
            at,
            query: query.to_owned(),
            accept: "",
            identity: true,
        }
    }

    fn texts(order: &Order, settings: &RemoteSettings) -> Vec<String> {
        urls(order, settings, None)
            .unwrap()
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn mirrors_follow_the_base_and_escapes_survive() {
        let mut settings = RemoteSettings::new("https://a.example/root/".parse().unwrap());
        let url = "http://b.example".parse().unwrap();
        settings.mirrors.push(Mirror {
            url,
            username: None,
            password: None,
        });
        let asked = texts(&order(At::Base("x%20y/@s%2fn+1".to_owned()), "q=1"), &settings);
        assert_eq!(
            asked,
            [
                "https://a.example/root/x%20y/@s%2fn+1?q=1",
                "http://b.example/x%20y/@s%2fn+1?q=1"
            ]
        );
    }

    #[test]
    fn an_index_host_of_its_own_has_no_mirrors() {
        let mut settings = RemoteSettings::new("https://files.example/".parse().unwrap());
        settings.index_url = Some("https://index.example/pre".parse().unwrap());
        assert_eq!(
            texts(&order(At::Index("simple/x/".to_owned()), ""), &settings),
            ["https://index.example/pre/simple/x/"]
        );
        assert!(urls(&order(At::Fact, ""), &settings, None).is_err());
    }
}
