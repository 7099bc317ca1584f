//! Files: hashes checked before anything is complete, core metadata that never 404s once advertised, other hosts.

use std::io::{Cursor, Write as _};

use serde_json::json;

use super::{first_file, json_page, python, resolve};
use crate::support::app::App;
use crate::support::bytes::{bytes_of, sha256};
use crate::support::python::{self as index, File};
use crate::support::script::{Framing, Script};
use crate::support::upstream::Upstream;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

#[tokio::test]
async fn a_file_is_found_from_its_url_alone_and_kept() {
    let (upstream, app) = python(json!({})).await;
    let body = bytes_of(1, 400_000);
    let path = index::publish(&upstream, "demo", WHEEL, Script::new(body.clone()));
    // The page was never asked for: a lock file keeps only the URL.
    let miss = app.read("p", &path).await.expect_bytes(&body);
    assert_eq!(miss.outcome(), "miss");
    app.stored("p", &path).await;
    let hit = app.read("p", &path).await.expect_bytes(&body);
    assert_eq!(hit.outcome(), "hit");
    assert_eq!(upstream.count("GET", &format!("/files/{WHEEL}")), 1);
}

#[tokio::test]
async fn a_wrong_hash_never_completes_and_is_never_stored() {
    let (upstream, app) = python(json!({})).await;
    let (right, wrong) = (bytes_of(1, 400_000), bytes_of(2, 400_000));
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        for (size, short) in [(400_000, false), (10_000, true)] {
            let name = format!("demo-{}.{size}-py3-none-any.whl", framing as u8);
            let entry = File::new(&name, &format!("{}/{name}", upstream.url()), &right[..size]);
            let project = format!("demo-{}-{size}", framing as u8);
            upstream.set(
                &format!("/simple/{project}/"),
                index::json_page(&project, &[entry]),
            );
            upstream.set(
                &format!("/{name}"),
                Script::new(wrong.slice(..size)).framing(framing),
            );
            let path = format!("packages/{project}/{name}");
            let reply = app.read("p", &path).await;
            assert!(!reply.complete(), "{name}: {} bytes", reply.body.len());
            assert!(reply.body.len() < size, "{name}");
            // What fits into the held tail has an honest status; the rest may have one, or breaks off.
            assert!(
                reply.status == 502 || (!short && reply.status == 200),
                "{name}: {}",
                reply.status
            );
            assert!(
                app.objects("p")
                    .await
                    .iter()
                    .all(|object| object["path"] != path.as_str())
            );
            upstream.set(
                &format!("/{name}"),
                Script::new(right.slice(..size)).framing(framing),
            );
            app.read("p", &path).await.expect_bytes(&right[..size]);
        }
    }
}

#[tokio::test]
async fn metadata_is_served_where_upstream_has_it() {
    let (upstream, app) = python(json!({})).await;
    let metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, b"wheel").metadata(metadata);
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}.metadata"), Script::new(metadata));
    let page = json_page(&app, "demo").await;
    let file = first_file(&page);
    assert_eq!(
        file["core-metadata"]["sha256"],
        sha256(metadata.as_bytes()),
        "{page}"
    );
    let path = resolve(&app, "demo", file["url"].as_str().unwrap());
    app.get(&format!("{path}.metadata"))
        .await
        .expect_bytes(metadata.as_bytes());
    assert_eq!(
        upstream.count("GET", &format!("/files/{WHEEL}")),
        0,
        "the wheel itself was not needed"
    );
}

#[tokio::test]
async fn metadata_with_a_wrong_hash_is_refused() {
    let (upstream, app) = python(json!({})).await;
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, b"wheel").metadata("right");
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}.metadata"), Script::new("wrong"));
    let reply = app.read("p", &format!("packages/demo/{WHEEL}.metadata")).await;
    assert!(!reply.complete(), "{}", reply.text());
}

#[tokio::test]
async fn advertised_metadata_is_there_as_long_as_the_page_says_so() {
    let (upstream, app) = python(json!({})).await;
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, b"wheel");
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}"), Script::new("wheel"));
    let page = json_page(&app, "demo").await;
    let advertised =
        !first_file(&page)["core-metadata"].is_null() && first_file(&page)["core-metadata"] != false;
    let reply = app.read("p", &format!("packages/demo/{WHEEL}.metadata")).await;
    assert_eq!(reply.complete(), advertised, "{page} and {}", reply.status);
}

/// A wheel that holds nothing but its metadata.
fn wheel_with(metadata: &str) -> Vec<u8> {
    let mut wheel = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    wheel.start_file("demo-1.0.dist-info/METADATA", options).unwrap();
    wheel.write_all(metadata.as_bytes()).unwrap();
    wheel.finish().unwrap().into_inner()
}

#[tokio::test]
async fn metadata_that_upstream_promises_and_lacks_comes_from_the_wheel() {
    let (upstream, app) = python(json!({})).await;
    let metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
    let wheel = wheel_with(metadata);
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, &wheel).metadata(metadata);
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}"), Script::new(wheel));
    let path = format!("packages/demo/{WHEEL}.metadata");
    app.read("p", &path).await.expect_bytes(metadata.as_bytes());
    app.read("p", &path).await.expect_bytes(metadata.as_bytes());
    assert_eq!(upstream.count("GET", &format!("/files/{WHEEL}")), 1);
}

#[tokio::test]
async fn metadata_from_a_wheel_must_be_what_was_promised() {
    let (upstream, app) = python(json!({})).await;
    let wheel = wheel_with("Name: other\n");
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, &wheel).metadata("Name: demo\n");
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}"), Script::new(wheel));
    let reply = app.read("p", &format!("packages/demo/{WHEEL}.metadata")).await;
    assert_eq!((reply.status, reply.outcome()), (502, "upstream_corrupt"));
}

#[tokio::test]
async fn a_cold_file_has_the_validator_that_a_hit_will_have() {
    let (upstream, app) = python(json!({})).await;
    let body = bytes_of(5, 400_000);
    let path = index::publish(&upstream, "demo", WHEEL, Script::new(body.clone()));
    let miss = app.read("p", &path).await.expect_bytes(&body);
    app.stored("p", &path).await;
    let hit = app.read("p", &path).await.expect_bytes(&body);
    assert_eq!((miss.outcome(), hit.outcome()), ("miss", "hit"));
    assert_eq!(miss.header("etag"), format!("\"sha256:{}\"", sha256(&body)));
    assert_eq!(miss.header("etag"), hit.header("etag"));
}

#[tokio::test]
async fn files_on_another_host_come_through_the_index_that_names_them() {
    let files = Upstream::start();
    let (upstream, app) = python(json!({"allow_networks": [files.url()]})).await;
    let body = bytes_of(3, 100_000);
    let entry = File::new(WHEEL, &format!("{}/a/b/{WHEEL}", files.url()), &body);
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    files.set(&format!("/a/b/{WHEEL}"), Script::new(body.clone()));
    let path = format!("packages/demo/{WHEEL}");
    app.read("p", &path).await.expect_bytes(&body);
    app.stored("p", &path).await;
    app.read("p", &path).await.expect_bytes(&body);
    assert_eq!(files.all().len(), 1);
    assert_eq!(
        app.read("p", "packages/demo/other-1.0-py3-none-any.whl")
            .await
            .status,
        404
    );
    assert_eq!(files.all().len(), 1, "what no index names is asked of nobody");
}

#[tokio::test]
async fn cached_files_and_pages_need_no_upstream() {
    let (mut upstream, app) = python(json!({})).await;
    let body = bytes_of(4, 100_000);
    let path = index::publish(&upstream, "demo", WHEEL, Script::new(body.clone()));
    let page = json_page(&app, "demo").await;
    app.read("p", &path).await.expect_bytes(&body);
    app.stored("p", &path).await;
    upstream.refuse().await;
    assert_eq!(json_page(&app, "demo").await, page);
    app.read("p", &path).await.expect_bytes(&body);
}

#[tokio::test]
async fn patterns_hold_for_projects_on_every_route() {
    let (upstream, app) = python(json!({"blocklist": ["^(simple|packages)/evil"]})).await;
    for project in ["evil", "good"] {
        let file = format!("{project}-1.0-py3-none-any.whl");
        index::publish(&upstream, project, &file, Script::new("wheel"));
    }
    for path in [
        "simple/evil/",
        "packages/evil/evil-1.0-py3-none-any.whl",
        "packages/evil/evil-1.0-py3-none-any.whl.metadata",
    ] {
        assert_eq!(app.read("p", path).await.status, 403, "{path}");
    }
    assert!(upstream.all().is_empty());
    let path = App::path("p", "packages/good/good-1.0-py3-none-any.whl");
    app.get(&path).await.expect_bytes(b"wheel");
}

#[tokio::test]
async fn metadata_is_not_made_from_a_wheel_that_is_blocked() {
    let (upstream, app) = python(json!({"blocklist": ["\\.whl$"]})).await;
    let url = format!("{}/files/{WHEEL}", upstream.url());
    let entry = File::new(WHEEL, &url, b"wheel");
    upstream.set("/simple/demo/", index::json_page("demo", &[entry]));
    upstream.set(&format!("/files/{WHEEL}"), Script::new("wheel"));
    let reply = app.read("p", &format!("packages/demo/{WHEEL}.metadata")).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert_eq!(upstream.count("GET", &format!("/files/{WHEEL}")), 0);
}
