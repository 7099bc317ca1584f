//! Large objects through a bucket: bounded memory, and no more read than is asked for.

use serde_json::json;

use crate::support::app::{App, TOKEN};
use crate::support::bytes::bytes_of;
use crate::support::chaos::Chaos;
use crate::support::client::{Pull, Reply};
use crate::support::parts::{Parts, Servers};
use crate::support::store::Store;

const SIZE: u64 = 200 << 20;
/// The largest part that a default installation writes, and what heads and listings may take besides.
const PART: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_mebibytes_go_in_and_out_with_bounded_memory() {
    let link = Chaos::before(&Servers::of_environment().s3).await;
    let app = App::setup()
        .on(Parts::ALL)
        .env("MINIO_ENDPOINT", &link.address().to_string())
        .start()
        .await;
    app.create_local("l", "generic", json!({})).await;
    app.put("l", "warm", bytes_of(1, 1 << 20)).await.expect(201);
    app.read("l", "warm").await.expect(200);
    let body = bytes_of(200, SIZE as usize);
    let (before, at_first) = (app.memory("VmRSS"), link.down());
    app.forget_peak();

    let pieces = body
        .chunks(1 << 20)
        .map(|piece| Ok::<_, std::io::Error>(body.slice_ref(piece)));
    let pieces: Vec<_> = pieces.collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let put = app
        .request(reqwest::Method::PUT, &App::path("l", "big"))
        .bearer_auth(TOKEN);
    Reply::of(put.header("content-length", SIZE).body(stream))
        .await
        .expect(201);
    let (written, after_put) = (app.memory("VmHWM").saturating_sub(before), link.down());
    app.forget_peak();

    let mut pull = Pull::get(app.address(), &App::path("l", "big"), &[])
        .await
        .unwrap();
    assert_eq!((pull.status, pull.length), (200, Some(SIZE)));
    pull.compare_rest(&body, 0).await.unwrap();
    let (read, after_get) = (app.memory("VmHWM").saturating_sub(before), link.down());

    let last = format!("range: bytes={}-", SIZE - 1);
    let mut pull = Pull::get(app.address(), &App::path("l", "big"), &[&last])
        .await
        .unwrap();
    assert_eq!((pull.status, pull.length), (206, Some(1)));
    pull.compare_rest(&body, SIZE - 1).await.unwrap();
    let ranged = link.down() - after_get;
    println!(
        "bucket: 200 MiB in: memory +{written} KiB, {} KiB from the bucket; out: memory +{read} KiB, {} KiB; last byte: {} KiB",
        (after_put - at_first) / 1024,
        (after_get - after_put) / 1024,
        ranged / 1024
    );
    assert!(
        written < 64 * 1024 && read < 64 * 1024,
        "memory grew by {written} and {read} KiB"
    );
    assert!(after_get - after_put < SIZE + PART, "read more than once");
    assert!(ranged <= PART, "{ranged} bytes for the last one");
}

async fn uploads(app: &App) -> usize {
    let bucket = app.shared().bucket();
    let pages = bucket.list_multiparts_uploads(None, None).await.unwrap();
    pages.iter().map(|page| page.uploads.len()).sum()
}

#[tokio::test]
async fn an_upload_that_another_may_still_go_on_with_is_left_alone() {
    let mut app = App::setup().on(Parts::ALL).start().await;
    let store = Store::open(&app).await;
    store.begin("foreign").await;
    assert_eq!(uploads(&app).await, 1);
    assert_eq!(app.fsck(&[]).code, Some(0));
    assert_eq!(app.stop(), Some(0));
    app.restart().await;
    assert_eq!(uploads(&app).await, 1, "still there after a start");
    store.close().await;
}
