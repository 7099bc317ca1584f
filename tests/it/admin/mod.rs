//! The admin API by its wire: create, refuse, read, change, delete.

mod program;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{App, TOKEN};
use crate::support::client::Reply;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

const REMOTES: &str = "/api/v2/remotes";

async fn post(app: &App, document: Value) -> Reply {
    app.admin(Method::POST, REMOTES, document).await
}

/// The problem document of a refusal, and the fields that it names.
#[track_caller]
fn fields(reply: &Reply, status: u16) -> Vec<(String, String)> {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["status"], status);
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
    errors
        .iter()
        .map(|error| (text(error, "field"), text(error, "reason")))
        .collect()
}

#[tokio::test]
async fn a_remote_is_created_read_changed_listed_and_deleted() {
    let app = App::start().await;
    let created = post(
        &app,
        json!({"name": "r", "package_type": "generic", "base_url": "http://u.example/"}),
    )
    .await;
    let created = created.expect(201);
    let one = format!("{REMOTES}/r");
    let read = app.admin(Method::GET, &one, Value::Null).await.expect(200);
    assert_eq!(read.json(), created.json());
    assert_eq!(read.json()["base_url"], "http://u.example/");
    assert_eq!(
        post(
            &app,
            json!({"name": "r", "package_type": "generic", "base_url": "http://u.example/"})
        )
        .await
        .status,
        409
    );
    let taken = app
        .admin(
            Method::POST,
            "/api/v2/locals",
            json!({"name": "r", "package_type": "generic"}),
        )
        .await;
    assert_eq!(taken.status, 409, "one namespace for all");

    app.admin(Method::DELETE, &one, Value::Null).await.expect(204);
    assert_eq!(app.admin(Method::GET, &one, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_a_put_everything() {
    let app = App::start().await;
    let document = json!({"name": "r", "package_type": "generic", "base_url": "http://u.example/"});
    post(&app, document).await.expect(201);
    let one = format!("{REMOTES}/r");
    let patched = app
        .admin(
            Method::PATCH,
            &one,
            json!({"description": "new", "mutable_ttl": 7}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&patched.json()["description"], &patched.json()["mutable_ttl"]),
        (&json!("new"), &json!(7))
    );
    let replaced = app
        .admin(Method::PUT, &one, json!({"base_url": "http://u.example/"}))
        .await
        .expect(200);
    assert_eq!(
        replaced.json()["description"],
        "",
        "omitted settings return to their defaults"
    );
    let list = app
        .admin(Method::GET, REMOTES, Value::Null)
        .await
        .expect(200)
        .text();
    assert!(list.contains("\"r\""), "{list}");
    app.admin(Method::DELETE, &one, Value::Null).await.expect(204);
    assert_eq!(app.admin(Method::GET, &one, Value::Null).await.status, 404);
    assert_eq!(
        app.admin(Method::PUT, &one, json!({"base_url": "http://u.example/"}))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn changes_can_be_guarded_by_the_etag() {
    let app = App::start().await;
    let document = json!({"name": "r", "package_type": "generic", "base_url": "http://u.example/"});
    let etag = post(&app, document).await.expect(201).header("etag").to_owned();
    let change = |etag: String, text: &'static str| {
        let request = app
            .request(Method::PATCH, &format!("{REMOTES}/r"))
            .bearer_auth(TOKEN);
        let request = request
            .header("content-type", "application/json")
            .header("if-match", etag);
        Reply::of(request.body(json!({"description": text}).to_string()))
    };
    change(etag.clone(), "one").await.expect(200);
    assert_eq!(change(etag, "two").await.status, 412);
    let read = app.admin(Method::GET, &format!("{REMOTES}/r"), Value::Null).await;
    assert_eq!(read.json()["description"], "one");
}

#[tokio::test]
async fn bad_documents_are_refused_with_field_and_reason() {
    let app = App::start().await;
    let base = json!({"name": "r", "package_type": "generic", "base_url": "http://u.example/"});
    let with = |name: &str, value: Value| {
        let mut document = base.clone();
        document[name] = value;
        document
    };
    for (document, field, word) in [
        (with("patterns", json!(["("])), "patterns", ""),
        (with("patterns", json!(["ok", "(?=look)"])), "patterns", "look"),
        (with("blocklist", json!(["(?<!behind)x"])), "blocklist", "look"),
        (
            with("mutable_patterns", json!([r"(a)\1"])),
            "mutable_patterns",
            "",
        ),
        (with("pattern", json!(["x"])), "pattern", ""),
        (with("mutable_ttl", json!("soon")), "mutable_ttl", ""),
        (with("base_url", json!("ftp://u.example/")), "base_url", ""),
        (with("base_url", json!("http://me:pw@u.example/")), "base_url", ""),
        (with("base_url", json!("nonsense")), "base_url", ""),
        (with("name", json!("Bad Name")), "name", ""),
        (with("package_type", json!("floppy")), "package_type", ""),
        (
            with("allow_networks", json!(["300.0.0.0/8"])),
            "allow_networks",
            "",
        ),
        (json!({"name": "r", "package_type": "generic"}), "base_url", ""),
    ] {
        let reply = post(&app, document.clone()).await;
        let status = if reply.status == 422 { 422 } else { 400 };
        let named = fields(&reply, status);
        let found = named
            .iter()
            .any(|(name, reason)| name.starts_with(field) && reason.contains(word) && !reason.is_empty());
        assert!(found, "{document}: {named:?}");
    }
    let list = app.admin(Method::GET, REMOTES, Value::Null).await.text();
    assert!(!list.contains("\"r\""), "nothing was created: {list}");
    let broken = app
        .request(Method::POST, REMOTES)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body("{");
    let reply = Reply::of(broken).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (400, "application/problem+json")
    );
}

#[tokio::test]
async fn without_the_right_token_everything_is_401_with_the_same_body() {
    let app = App::start().await;
    let mut bodies = Vec::new();
    for token in [None, Some("wrong"), Some("")] {
        for (method, path) in [
            (Method::GET, REMOTES),
            (Method::POST, REMOTES),
            (Method::DELETE, "/api/v2/remotes/r"),
            (Method::GET, "/api/v2/remotes/r/objects"),
            (Method::POST, "/api/v2/probe"),
            (Method::POST, "/api/v2/gc"),
            (Method::GET, "/api/v2/stats"),
        ] {
            let request = app.request(method, path);
            let request = token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token));
            let reply = Reply::of(request).await.expect(401);
            assert!(
                reply.header("www-authenticate").to_lowercase().contains("bearer"),
                "{path}"
            );
            bodies.push(reply.text());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let app = App::start().await;
    let document = json!({
        "name": "r", "package_type": "generic", "base_url": "http://u.example/", "username": "me", "password": "hunter2",
        "mirrors": [{"url": "http://m.example/", "username": "x", "password": "hunter3"}],
    });
    let one = format!("{REMOTES}/r");
    let mut said = post(&app, document).await.expect(201).text();
    said += &app.admin(Method::GET, &one, Value::Null).await.expect(200).text();
    said += &app
        .admin(Method::GET, REMOTES, Value::Null)
        .await
        .expect(200)
        .text();
    said += &app
        .admin(Method::PATCH, &one, json!({"description": "d"}))
        .await
        .expect(200)
        .text();
    said += &app
        .admin(Method::PATCH, &one, json!({"password": 4711}))
        .await
        .text();
    said += &app.get("/metrics").await.text();
    said += &app.log();
    assert!(!said.contains("hunter") && !said.contains("4711"), "{said}");
    assert!(said.contains("\"password_set\":true"), "{said}");
}

#[tokio::test]
async fn another_base_url_drops_what_is_cached_and_so_does_a_new_remote_of_the_name() {
    let (old, new) = (Upstream::start(), Upstream::start());
    let app = App::start().await;
    old.set("/a", Script::new("old"));
    new.set("/a", Script::new("new"));
    app.create_remote("r", "generic", &old.url(), json!({})).await;
    app.read("r", "a").await.expect_bytes(b"old");
    app.stored("r", "a").await;
    let one = format!("{REMOTES}/r");
    app.admin(Method::PATCH, &one, json!({"description": "only words"}))
        .await
        .expect(200);
    assert_eq!(app.objects("r").await.len(), 1);
    app.admin(Method::PATCH, &one, json!({"base_url": new.url()}))
        .await
        .expect(200);
    app.read("r", "a").await.expect_bytes(b"new");
    app.stored("r", "a").await;
    let keep = format!("{one}?keep_objects=true");
    app.admin(Method::PATCH, &keep, json!({"base_url": old.url()}))
        .await
        .expect(200);
    app.read("r", "a").await.expect_bytes(b"new");
    app.admin(Method::DELETE, &one, Value::Null).await.expect(204);
    app.create_remote("r", "generic", &old.url(), json!({})).await;
    assert!(app.objects("r").await.is_empty());
    app.read("r", "a").await.expect_bytes(b"old");
}
