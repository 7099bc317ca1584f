//! The life of a repository over HTTP.

use serde_json::{Value, json};

use crate::admin::harness::{Bench, TOKEN};

fn remote(name: &str) -> Value {
    json!({"name": name, "package_type": "generic", "base_url": "http://upstream.example/", "password": "hunter2", "username": "u"})
}

#[actix_web::test]
async fn a_remote_lives_from_201_to_204() {
    let bench = Bench::start().await;
    let created = bench.call("POST", "/api/v2/remotes", remote("a")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.headers.get("location").unwrap(), "/api/v2/remotes/a");
    assert_eq!(created.headers.get("etag").unwrap(), "\"1\"");
    let read = bench.call("GET", "/api/v2/remotes/a", Value::Null).await;
    assert_eq!(read.json(), created.json());
    assert!(!read.text.contains("hunter2") && read.json()["password_set"] == json!(true));
    let list = bench.call("GET", "/api/v2/remotes", Value::Null).await;
    assert_eq!(list.json(), json!([created.json()]));
    assert_eq!(
        bench.call("GET", "/api/v2/locals", Value::Null).await.json(),
        json!([])
    );
    let gone = bench.call("DELETE", "/api/v2/remotes/a", Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(
        bench.call("GET", "/api/v2/remotes/a", Value::Null).await.status,
        404
    );
    assert_eq!(
        bench
            .call("DELETE", "/api/v2/remotes/a", Value::Null)
            .await
            .status,
        404
    );
    bench.stop().await;
}

#[actix_web::test]
async fn a_name_is_taken_once_among_remotes_and_locals() {
    let bench = Bench::start().await;
    bench.remote("a").await;
    let local = json!({"name": "a", "package_type": "generic"});
    let taken = bench.call("POST", "/api/v2/locals", local).await;
    assert_eq!(
        (taken.status.as_u16(), taken.json()["code"].as_str()),
        (409, Some("conflict"))
    );
    assert_eq!(
        bench.call("GET", "/api/v2/locals/a", Value::Null).await.status,
        404
    );
    bench.stop().await;
}

#[actix_web::test]
async fn refused_documents_name_every_field() {
    let bench = Bench::start().await;
    let refused = bench
        .call(
            "POST",
            "/api/v2/remotes",
            json!({
                "name": "Not A Name", "package_type": "floppy", "base_url": "ftp://upstream.example/",
                "patterns": ["(", "a(?=b)"], "colour": "red",
            }),
        )
        .await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.fields(), ["colour"], "the form comes first");
    let refused = bench
        .call(
            "POST",
            "/api/v2/remotes",
            json!({
                "name": "Not A Name", "package_type": "generic", "base_url": "ftp://upstream.example/",
                "patterns": ["(", "a(?=b)"],
            }),
        )
        .await;
    let fields = refused.fields();
    for field in ["name", "base_url", "patterns.0", "patterns.1"] {
        assert!(fields.iter().any(|named| named == field), "{field} in {fields:?}");
    }
    assert!(refused.text.contains("look-around"), "{}", refused.text);
    for (text, status) in [("{", 400), ("[1]", 422), ("", 422)] {
        let reply = bench.call_text("POST", "/api/v2/remotes", text).await;
        assert_eq!(reply.status, status, "{text}: {}", reply.text);
        assert!(!reply.fields().is_empty(), "{text}");
    }
    bench.stop().await;
}

#[actix_web::test]
async fn changes_keep_to_the_revision_they_were_made_for() {
    let bench = Bench::start().await;
    bench.remote("a").await;
    let bearer = format!("Bearer {TOKEN}");
    let patch = |tag: &'static str, text: &'static str| {
        let (bench, bearer) = (&bench, &bearer);
        async move {
            let fields = [("authorization", bearer.as_str()), ("if-match", tag)];
            let body = json!({"description": text});
            bench.call_with("PATCH", "/api/v2/remotes/a", body, &fields).await
        }
    };
    let changed = patch("\"1\"", "one").await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.headers.get("etag").unwrap(), "\"2\"");
    let late = patch("\"1\"", "two").await;
    assert_eq!(
        (late.status.as_u16(), late.json()["code"].as_str()),
        (412, Some("precondition_failed"))
    );
    assert_eq!(patch("*", "three").await.json()["description"], "three");
    let fields = [("authorization", bearer.as_str()), ("if-match", "\"9\"")];
    let kept = bench
        .call_with("DELETE", "/api/v2/remotes/a", Value::Null, &fields)
        .await;
    assert_eq!(kept.status, 412);
    bench.stop().await;
}

#[actix_web::test]
async fn a_replacement_is_whole_and_keeps_omitted_secrets() {
    let bench = Bench::start().await;
    bench.call("POST", "/api/v2/remotes", remote("a")).await;
    let long = json!({"base_url": "http://upstream.example/", "username": "u", "description": "long"});
    let replaced = bench.call("PUT", "/api/v2/remotes/a", long).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    assert_eq!(replaced.json()["password_set"], json!(true));
    let bare = json!({"base_url": "http://upstream.example/", "password": null});
    let replaced = bench.call("PUT", "/api/v2/remotes/a", bare).await.json();
    assert_eq!(
        (&replaced["description"], &replaced["password_set"]),
        (&json!(""), &json!(false))
    );
    let absent = bench
        .call(
            "PUT",
            "/api/v2/remotes/b",
            json!({"base_url": "http://upstream.example/"}),
        )
        .await;
    assert_eq!(absent.status, 404);
    bench.stop().await;
}

#[actix_web::test]
async fn nobody_without_the_token_learns_anything() {
    let bench = Bench::start().await;
    bench.remote("a").await;
    let mut bodies = std::collections::BTreeSet::new();
    for (method, path) in [
        ("GET", "/api/v2/remotes"),
        ("GET", "/api/v2/remotes/a"),
        ("GET", "/api/v2/remotes/b"),
        ("POST", "/api/v2/remotes"),
        ("PUT", "/api/v2/remotes/a"),
        ("DELETE", "/api/v2/remotes/a"),
        ("GET", "/api/v2/remotes/a/objects"),
        ("DELETE", "/api/v2/locals/a/objects?nonsense"),
        ("GET", "/api/v2/stats"),
        ("POST", "/api/v2/probe"),
        ("GET", "/api/v2/events"),
        ("POST", "/api/v2/gc"),
        ("GET", "/metrics"),
    ] {
        for field in ["Bearer wrong", "Basic eDpiZW5jaC10b2tlbg==", "Bearer"] {
            let reply = bench
                .call_with(method, path, json!({}), &[("authorization", field)])
                .await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert_eq!(reply.headers.get("www-authenticate").unwrap(), "Bearer");
            bodies.insert(reply.text);
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    bench.stop().await;
}
