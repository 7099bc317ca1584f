//! Generic locals: PUT, GET, HEAD, DELETE with their guards and claims.

use base64::Engine as _;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{App, TOKEN};
use crate::support::bytes::{bytes_of, sha256};
use crate::support::client::Reply;
use crate::support::store::Store;

async fn local(settings: serde_json::Value) -> App {
    let app = App::start().await;
    app.create_local("l", "generic", settings).await;
    app
}

/// A write with further field lines.
async fn write(app: &App, method: Method, path: &str, body: &[u8], fields: &[(&str, &str)]) -> Reply {
    let request = app
        .request(method, &App::path("l", path))
        .bearer_auth(TOKEN)
        .body(body.to_vec());
    Reply::of(
        fields
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value)),
    )
    .await
}

#[tokio::test]
async fn what_is_put_is_served_until_it_is_deleted() {
    let app = local(json!({})).await;
    let body = bytes_of(1, 3_000_000);
    app.put("l", "dir/a.bin", body.clone()).await.expect(201);
    let got = app.read("l", "dir/a.bin").await.expect_bytes(&body);
    assert_eq!(
        (got.header("x-artifact-source"), got.outcome()),
        ("local", "local")
    );
    assert!(got.header("etag").starts_with('"'), "{:?}", got.headers);
    let head = Reply::of(app.request(Method::HEAD, &App::path("l", "dir/a.bin")))
        .await
        .expect(200);
    assert_eq!(head.header("content-length"), "3000000");
    assert_eq!(head.header("etag"), got.header("etag"));
    let part = app
        .read_with("l", "dir/a.bin", &[("range", "bytes=-5")])
        .await
        .expect(206);
    assert!(part.body == body[2_999_995..]);
    app.put("l", "dir/a.bin", body.clone()).await.expect(200);
    let other = bytes_of(2, 10);
    app.put("l", "dir/a.bin", other.clone()).await.expect(200);
    app.read("l", "dir/a.bin").await.expect_bytes(&other);
    app.delete("l", "dir/a.bin").await.expect(204);
    assert_eq!(app.read("l", "dir/a.bin").await.status, 404);
    assert_eq!(app.delete("l", "dir/a.bin").await.status, 404);
}

#[tokio::test]
async fn a_put_is_guarded_by_its_conditions() {
    let app = local(json!({})).await;
    write(&app, Method::PUT, "a", b"one", &[("if-match", "*")])
        .await
        .expect(412);
    write(&app, Method::PUT, "a", b"one", &[("if-none-match", "*")])
        .await
        .expect(201);
    write(&app, Method::PUT, "a", b"two", &[("if-none-match", "*")])
        .await
        .expect(412);
    let etag = app
        .read("l", "a")
        .await
        .expect_bytes(b"one")
        .header("etag")
        .to_owned();
    write(&app, Method::PUT, "a", b"two", &[("if-match", "\"other\"")])
        .await
        .expect(412);
    write(&app, Method::PUT, "a", b"two", &[("if-match", &etag)])
        .await
        .expect(200);
    app.read("l", "a").await.expect_bytes(b"two");
    write(&app, Method::DELETE, "a", b"", &[("if-match", &etag)])
        .await
        .expect(412);
    let etag = app
        .read("l", "a")
        .await
        .expect_bytes(b"two")
        .header("etag")
        .to_owned();
    write(&app, Method::DELETE, "a", b"", &[("if-match", &etag)])
        .await
        .expect(204);
}

#[tokio::test]
async fn of_many_writers_that_want_a_free_name_one_wins() {
    let app = local(json!({})).await;
    let writers = (0..20).map(|number| {
        let body = format!("writer {number}");
        let app = &app;
        async move {
            let reply = write(app, Method::PUT, "a", body.as_bytes(), &[("if-none-match", "*")]).await;
            (reply.status, body)
        }
    });
    let replies = futures_util::future::join_all(writers).await;
    let winners: Vec<_> = replies.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(winners.len(), 1, "{replies:?}");
    assert!(
        replies.iter().all(|(status, _)| [201, 412].contains(status)),
        "{replies:?}"
    );
    app.read("l", "a").await.expect_bytes(winners[0].1.as_bytes());
}

#[tokio::test]
async fn a_claimed_digest_must_hold_or_nothing_is_stored() {
    let app = local(json!({})).await;
    let right = hex::decode(sha256(b"body")).unwrap();
    let wrong = hex::decode(sha256(b"other")).unwrap();
    let field = |bytes: &[u8]| format!("sha-256=:{}:", base64::prelude::BASE64_STANDARD.encode(bytes));
    for (name, good, bad) in [
        ("repr-digest", field(&right), field(&wrong)),
        ("x-checksum-sha256", sha256(b"body"), sha256(b"other")),
        // The MD5 of "body", then of nothing.
        (
            "content-md5",
            "hBotaJrYa9FhFEdFPCLG/A==".into(),
            "1B2M2Y8AsgTpgAmY7PhCfg==".into(),
        ),
    ] {
        write(&app, Method::PUT, name, b"body", &[(name, &bad)])
            .await
            .expect(400);
        assert_eq!(app.read("l", name).await.status, 404, "{name}");
        write(&app, Method::PUT, name, b"body", &[(name, &good)])
            .await
            .expect(201);
        app.read("l", name).await.expect_bytes(b"body");
    }
}

#[tokio::test]
async fn writes_need_a_token_and_a_sensible_request() {
    let app = local(json!({})).await;
    let anonymous = app.request(Method::PUT, &App::path("l", "a")).body("x");
    let refused = Reply::of(anonymous).await.expect(401);
    assert!(!refused.header("www-authenticate").is_empty());
    let wrong = app
        .request(Method::PUT, &App::path("l", "a"))
        .bearer_auth("wrong")
        .body("x");
    Reply::of(wrong).await.expect(401);
    let anonymous = app.request(Method::DELETE, &App::path("l", "a"));
    Reply::of(anonymous).await.expect(401);
    write(&app, Method::PUT, "a/", b"x", &[]).await.expect(400);
    write(&app, Method::PUT, "a", b"x", &[("content-range", "bytes 0-0/2")])
        .await
        .expect(400);
    assert_eq!(app.read("l", "a").await.status, 404);
}

#[tokio::test]
async fn without_overwrite_other_bytes_conflict_and_the_same_do_not() {
    let app = local(json!({"allow_overwrite": false})).await;
    app.put("l", "a", "one").await.expect(201);
    app.put("l", "a", "one").await.expect(200);
    app.put("l", "a", "two").await.expect(409);
    app.read("l", "a").await.expect_bytes(b"one");
}

#[tokio::test]
async fn the_quota_holds_even_when_many_race_for_it() {
    let app = local(json!({"quota_bytes": 100_000})).await;
    let writers = (0..10).map(|number| {
        let app = &app;
        async move {
            app.put("l", &format!("f{number}"), bytes_of(number, 30_000))
                .await
                .status
        }
    });
    let mut statuses = futures_util::future::join_all(writers).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 3].as_slice(), &[413; 7]].concat());
    let objects = app
        .admin(Method::GET, "/api/v2/locals/l/objects", serde_json::Value::Null)
        .await;
    assert_eq!(objects.expect(200).json()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_put_that_breaks_off_leaves_nothing_behind() {
    use tokio::io::AsyncWriteExt as _;
    let app = local(json!({})).await;
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 3000000\r\n\r\n",
        App::path("l", "a")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes_of(1, 2_000_000)).await.unwrap();
    drop(stream);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(app.read("l", "a").await.status, 404);
    // The rest is looked at when the program ends: fsck and leftovers.
}

#[tokio::test]
async fn a_private_local_is_read_with_a_token_only() {
    let app = local(json!({"anonymous_read": false})).await;
    app.put("l", "a", "secret").await.expect(201);
    assert_eq!(app.read("l", "a").await.status, 401);
    let request = app.request(Method::GET, &App::path("l", "a")).bearer_auth(TOKEN);
    Reply::of(request).await.expect_bytes(b"secret");
}

#[tokio::test]
async fn a_write_never_rests_on_an_object_that_was_lost() {
    let app = local(json!({})).await;
    let body = bytes_of(7, 300_000);
    app.put("l", "a.bin", body.clone()).await.expect(201);
    let store = Store::open(&app).await;
    assert_eq!(store.objects().await.len(), 1);
    store.remove_all().await;
    store.close().await;
    app.put("l", "b.bin", body.clone()).await.expect(201);
    app.read("l", "b.bin").await.expect_bytes(&body);
    // The same bytes under the first name are whole again, too.
    app.read("l", "a.bin").await.expect_bytes(&body);
    assert_eq!(app.fsck(&["--rehash"]).code, Some(0));
}

#[tokio::test]
async fn a_condition_is_no_way_round_a_repository_that_keeps_what_it_has() {
    let app = local(json!({"allow_overwrite": false})).await;
    app.put("l", "a", "one").await.expect(201);
    let etag = app.read("l", "a").await.header("etag").to_owned();
    for tag in ["*", &etag] {
        let condition = [("if-match", tag)];
        write(&app, Method::PUT, "a", b"two", &condition)
            .await
            .expect(409);
        write(&app, Method::PUT, "a", b"one", &condition)
            .await
            .expect(200);
    }
    write(&app, Method::PUT, "a", b"one", &[("if-match", "\"other\"")])
        .await
        .expect(412);
    app.read("l", "a").await.expect_bytes(b"one");
}
