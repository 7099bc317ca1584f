//! Listing and eviction over HTTP.

use serde_json::{Value, json};

use crate::admin::harness::{Bench, TOKEN};

/// A local with these objects.
async fn filled(paths: &[&str]) -> Bench {
    let bench = Bench::start().await;
    let local = json!({"name": "l", "package_type": "generic"});
    assert_eq!(bench.call("POST", "/api/v2/locals", local).await.status, 201);
    for path in paths {
        let put = bench
            .call("PUT", &format!("/api/v1/remote/l/{path}"), json!("body"))
            .await;
        assert_eq!(put.status, 201, "{}", put.text);
    }
    bench
}

async fn list(bench: &Bench, query: &str) -> (Vec<String>, Value) {
    let reply = bench
        .call("GET", &format!("/api/v2/locals/l/objects{query}"), Value::Null)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let page = reply.json();
    let paths = page["items"].as_array().unwrap().iter();
    let paths = paths
        .map(|item| item["path"].as_str().unwrap().to_owned())
        .collect();
    (paths, page["next"].clone())
}

#[actix_web::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    let bench = filled(&["a/1", "a/2", "b/1", "b/2", "c"]).await;
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (paths, next) = list(&bench, &query).await;
        assert!(paths.len() <= 2);
        seen.extend(paths);
        let Some(next) = next.as_str() else { break };
        query = format!("?limit=2&after={next}");
    }
    assert_eq!(seen, ["a/1", "a/2", "b/1", "b/2", "c"]);
    assert_eq!(list(&bench, "?prefix=b/").await.0, ["b/1", "b/2"]);
    assert_eq!(list(&bench, "?search=2").await.0, ["a/2", "b/2"]);
    bench.stop().await;
}

#[actix_web::test]
async fn an_item_says_what_is_known_of_the_object() {
    let bench = filled(&["a"]).await;
    let reply = bench.call("GET", "/api/v2/locals/l/objects", Value::Null).await;
    let item = &reply.json()["items"][0];
    assert_eq!((&item["size"], &item["class"]), (&json!(6), &json!("hosted")));
    assert!(item["digest"].as_str().unwrap().starts_with("sha256:"), "{item}");
    assert_eq!(item["expires_at"], Value::Null);
    bench.stop().await;
}

#[actix_web::test]
async fn queries_that_make_no_sense_name_the_parameter() {
    let bench = filled(&[]).await;
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=x", "limit"),
        ("?after=zz", "after"),
        ("?colour=red", "colour"),
    ] {
        let reply = bench
            .call("GET", &format!("/api/v2/locals/l/objects{query}"), Value::Null)
            .await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{query}");
        assert_eq!(reply.fields(), [field], "{query}");
    }
    bench.stop().await;
}

#[actix_web::test]
async fn eviction_takes_exactly_one_way_to_choose() {
    let bench = filled(&["a/1", "a/2", "b/1.txt", "b/2", "c"]).await;
    let evict = |query: &'static str| {
        let bench = &bench;
        async move {
            bench
                .call("DELETE", &format!("/api/v2/locals/l/objects{query}"), Value::Null)
                .await
        }
    };
    for query in ["", "?path=a/1&all=true", "?all=false"] {
        assert_eq!(evict(query).await.status, 400, "{query}");
    }
    assert_eq!(evict("?path=c").await.json(), json!({"evicted": 1, "bytes": 6}));
    assert_eq!(evict("?path=c").await.json(), json!({"evicted": 0, "bytes": 0}));
    assert_eq!(
        evict("?pattern=%5C.txt%24").await.json(),
        json!({"evicted": 1, "bytes": 6})
    );
    assert_eq!(
        evict("?prefix=a/").await.json(),
        json!({"evicted": 2, "bytes": 12})
    );
    assert_eq!(list(&bench, "").await.0, ["b/2"]);
    assert_eq!(evict("?all=true").await.json(), json!({"evicted": 1, "bytes": 6}));
    let bearer = format!("Bearer {TOKEN}");
    let read = bench
        .call_with(
            "GET",
            "/api/v1/remote/l/b/2",
            Value::Null,
            &[("authorization", &bearer)],
        )
        .await;
    assert_eq!(read.status, 404, "what was evicted is not served from memory");
    bench.stop().await;
}
