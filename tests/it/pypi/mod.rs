//! Python packages from a fixture upstream: JSON and HTML, hashes, core metadata, stable URLs.

mod files;
mod pages;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::python::JSON;
use crate::support::upstream::Upstream;

/// A program with one pypi remote `p` on one upstream.
async fn python(settings: Value) -> (Upstream, App) {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("p", "pypi", &upstream.url(), settings).await;
    (upstream, app)
}

/// The index page of a project as JSON clients get it.
async fn json_page(app: &App, project: &str) -> Value {
    let accept = format!("{JSON}, text/html;q=0.1");
    let page = app
        .read_with("p", &format!("simple/{project}/"), &[("accept", &accept)])
        .await
        .expect(200);
    assert_eq!(page.header("content-type").split(';').next(), Some(JSON));
    page.json()
}

/// The index page of a project as HTML clients get it.
async fn html_page(app: &App, project: &str) -> Reply {
    let page = app
        .read_with("p", &format!("simple/{project}/"), &[("accept", "text/html")])
        .await
        .expect(200);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{:?}",
        page.headers
    );
    page
}

/// Where a URL of an index page leads, as a path of the program.
fn resolve(app: &App, project: &str, url: &str) -> String {
    let base = format!(
        "http://{}{}",
        app.address(),
        App::path("p", &format!("simple/{project}/"))
    );
    let resolved = url::Url::parse(&base).unwrap().join(url).unwrap();
    assert_eq!(resolved.host_str(), Some("127.0.0.1"), "{url}");
    assert_eq!(resolved.port(), Some(app.address().port()), "{url}");
    resolved.path().to_owned()
}

/// The first file of a JSON page.
fn first_file(page: &Value) -> &Value {
    &page["files"][0]
}

/// A remote with everything at its default but a short TTL.
fn short_lived() -> Value {
    json!({"mutable_ttl": 1})
}
