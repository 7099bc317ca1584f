//! Upstream credentials go to their origin only, cookies nowhere, and a client's own credentials to nobody.

use serde_json::json;

use crate::support::app::App;
use crate::support::python;
use crate::support::script::Script;
use crate::support::upstream::{Request, Upstream};

/// Field lines that must not reach a stranger.
fn private(request: &Request) -> Vec<&(String, String)> {
    let names = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
    request
        .headers
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn credentials_and_cookies_reach_no_other_origin() {
    let (upstream, stranger) = (Upstream::start(), Upstream::start());
    let app = App::start().await;
    let settings = [
        json!({"username": "me", "password": "hunter2"}),
        json!({"token": "hunter2-token"}),
    ];
    for (number, mut settings) in settings.into_iter().enumerate() {
        settings["allow_networks"] = json!([stranger.url()]);
        app.create_remote(&format!("g{number}"), "generic", &upstream.url(), settings)
            .await;
    }
    let cookie = ("set-cookie", "session=abc; Path=/");
    for path in ["/a", "/hop", "/own"] {
        stranger.set(path, Script::new("from the stranger").header(cookie.0, cookie.1));
    }
    upstream.set(
        "/a",
        Script::redirect(&format!("{}/a", stranger.url())).header(cookie.0, cookie.1),
    );
    // Away and back again: what was dropped on the way does not come back either.
    upstream.set("/b", Script::redirect(&format!("{}/hop", stranger.url())));
    stranger.set("/hop", Script::redirect(&format!("{}/own", upstream.url())));
    upstream.set("/own", Script::new("mine").header(cookie.0, cookie.1));
    for remote in ["g0", "g1"] {
        app.read(remote, "a").await.expect_bytes(b"from the stranger");
        app.read(remote, "b").await.expect_bytes(b"mine");
        let own = app.read(remote, "own").await.expect_bytes(b"mine");
        assert_eq!(own.header("set-cookie"), "", "cookies of upstream stay there");
    }
    let asked = upstream.hits("/a");
    assert_eq!(
        asked[0].request.header("authorization"),
        Some("Basic bWU6aHVudGVyMg==")
    );
    assert_eq!(
        asked[1].request.header("authorization"),
        Some("Bearer hunter2-token")
    );
    assert_eq!(stranger.all().len(), 4);
    for hit in stranger.all() {
        assert_eq!(
            private(&hit.request),
            Vec::<&(String, String)>::new(),
            "{}",
            hit.request.target
        );
    }
    for hit in upstream.all() {
        assert_eq!(hit.request.header("cookie"), None, "{}", hit.request.target);
    }
}

#[tokio::test]
async fn files_on_other_hosts_and_mirrors_get_no_credentials_of_the_remote() {
    let (upstream, files, mirror) = (Upstream::start(), Upstream::start(), Upstream::start());
    let app = App::start().await;
    let settings = json!({
        "username": "me", "password": "hunter2", "allow_networks": [files.url()],
        "mirrors": [{"url": mirror.url(), "username": "other", "password": "word"}],
    });
    app.create_remote("p", "pypi", &upstream.url(), settings).await;
    let name = "demo-1.0-py3-none-any.whl";
    let entry = python::File::new(name, &format!("{}/{name}", files.url()), b"wheel");
    upstream.set("/simple/demo/", python::json_page("demo", &[entry]));
    files.set(&format!("/{name}"), Script::new("wheel"));
    app.read("p", &format!("packages/demo/{name}"))
        .await
        .expect_bytes(b"wheel");
    assert!(
        upstream.hits("/simple/demo/")[0]
            .request
            .header("authorization")
            .is_some()
    );
    assert_eq!(files.all().len(), 1);
    assert_eq!(private(&files.all()[0].request), Vec::<&(String, String)>::new());

    upstream.set("/simple/away/", Script::status(500));
    mirror.set("/simple/away/", python::json_page("away", &[]));
    app.read("p", "simple/away/").await.expect(200);
    let asked = mirror.hits("/simple/away/");
    assert_eq!(
        asked[0].request.header("authorization"),
        Some("Basic b3RoZXI6d29yZA==")
    );
}

#[tokio::test]
async fn what_a_client_says_about_itself_stays_here() {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    upstream.set("/a", Script::new("x"));
    let fields = [
        ("authorization", "Basic Y2xpZW50OnNlY3JldA=="),
        ("cookie", "session=client"),
        ("x-api-key", "client-key"),
        ("x-forwarded-for", "192.0.2.7"),
        ("referer", "http://intranet.example/secret"),
    ];
    app.read_with("g", "a", &fields).await.expect_bytes(b"x");
    let request = &upstream.hits("/a")[0].request;
    for (name, _) in fields {
        assert_eq!(request.header(name), None, "{name}");
    }
}
