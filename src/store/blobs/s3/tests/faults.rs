//! A server that is away, silent, cuts, lies or is busy.

use std::sync::atomic::{AtomicUsize, Ordering};

use artifactapi_core::fault::Retry;
use tokio::net::{TcpSocket, TcpStream};

use super::stub::{Reply, open, serve, settings_for};
use super::*;

const NO_KEY: &str = "<Error><Code>NoSuchKey</Code></Error>";
const NO_BUCKET: &str = "<Error><Code>NoSuchBucket</Code></Error>";
const BEGUN: &str = "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key>\
                     <UploadId>a+b/c=</UploadId></InitiateMultipartUploadResult>";

/// The fault of an operation on a server that is away for now.
fn away<T>(done: Result<T, Fault>) -> Fault {
    let fault = done.map(drop).unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable, "{fault:?}");
    assert!(matches!(fault.retry, Retry::After(_)), "{fault:?}");
    fault
}

/// A bucket that waits long for what is asked, but not for the server.
async fn patient(url: &str) -> Result<Bucket, Fault> {
    let patience = Patience {
        connect: Duration::from_millis(300),
        idle: Duration::from_mins(10),
        joining: Duration::from_mins(10),
    };
    Bucket::at(&settings_for(url), &io(), std::env::temp_dir(), false, patience).await
}

#[tokio::test]
async fn a_refused_connection_is_told_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let fault = away(open(&format!("http://{free}")).await);
    assert!(fault.what.contains("reached"), "{fault:?}");
}

#[tokio::test]
async fn a_server_that_takes_no_connection_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Its queue is full, so that the next to come hears nothing.
    let mut queue = Vec::new();
    for _ in 0..4 {
        let connecting = TcpStream::connect(address);
        queue.push(tokio::time::timeout(Duration::from_millis(200), connecting).await);
    }
    let fault = away(patient(&format!("http://{address}")).await);
    assert!(fault.what.contains("reached"), "{fault:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let url = serve(|_| Reply::Silence("")).await;
    let bucket = open(&url).await.unwrap();
    let fault = away(bucket.size(&object(1)).await);
    assert!(fault.what.contains("answer"), "{fault:?}");
    away(Blobs::open(&bucket, &object(1), None).await);
    away(put(&bucket, &object(1), pattern(10)).await);
    away(bucket.delete(&object(1)).await);
}

#[tokio::test]
async fn a_server_that_answers_nothing_more_is_given_up_by_who_reads() {
    let bucket = patient(&serve(|_| Reply::Silence("")).await).await.unwrap();
    away(bucket.size(&object(1)).await);
    away(Blobs::open(&bucket, &object(1), None).await);
}

#[tokio::test]
async fn an_object_that_takes_long_is_waited_for_while_the_server_answers_others() {
    let url = serve(|line| match line {
        line if line.starts_with("HEAD /bucket ") => Reply::Whole("403 Forbidden", ""),
        _ => Reply::Silence(""),
    })
    .await;
    let bucket = patient(&url).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(2), bucket.size(&object(1))).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn a_body_that_ends_early_or_stalls_never_ends_cleanly() {
    for reply in [
        || Reply::Cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly these"),
        || Reply::Silence("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly these"),
        || Reply::Cut("HTTP/1.1 200 OK\r\n\r\nhowever many"),
    ] {
        let bucket = open(&serve(move |_| reply()).await).await.unwrap();
        let fault = get(&bucket, &object(1), None).await.unwrap_err();
        assert_eq!(fault.kind, Kind::StoreUnavailable, "{fault:?}");
        assert!(bucket.source(&object(1)).await.is_err());
    }
}

#[tokio::test]
async fn a_range_that_is_not_what_was_asked_is_not_passed_on() {
    let whole = || Reply::Whole("200 OK", "0123456789");
    let bucket = open(&serve(move |_| whole()).await).await.unwrap();
    assert!(get(&bucket, &object(1), Some(3..5)).await.is_err());
    assert_eq!(
        get(&bucket, &object(1), Some(0..10)).await.unwrap(),
        b"0123456789"
    );
    let short = || Reply::Whole("206 Partial Content", "34");
    let bucket = open(&serve(move |_| short()).await).await.unwrap();
    let opened = Blobs::open(&bucket, &object(1), Some(3..9)).await.unwrap();
    assert!(opened.is_none());
}

#[tokio::test]
async fn a_lost_bucket_does_not_look_like_missing_objects() {
    let gone = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&gone);
    let url = stub::serve_all(
        move |line| match (lost.load(Ordering::SeqCst), line.starts_with("HEAD ")) {
            (_, true) => Some(Reply::Whole("404 Not Found", "")),
            (true, false) => Some(Reply::Whole("404 Not Found", NO_BUCKET)),
            (false, false) => None,
        },
    )
    .await;
    let bucket = open(&url).await.unwrap();
    assert_eq!(bucket.size(&object(1)).await.unwrap(), None);
    gone.store(true, Ordering::SeqCst);
    assert!(
        bucket
            .size(&object(1))
            .await
            .unwrap_err()
            .what
            .contains("s3.bucket")
    );
    assert!(bucket.delete(&object(1)).await.is_err());
    assert!(Blobs::open(&bucket, &object(1), None).await.is_err());
    assert!(bucket.list("", None, 9).await.is_err());
}

#[tokio::test]
async fn an_object_that_comes_between_the_question_and_the_listing_is_there() {
    let listing = "<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated><Contents>\
        <Key>uploads/00000010000000000000000000000000</Key><Size>7</Size>\
        <LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>";
    let url = stub::serve_all(move |line| match line {
        line if line.starts_with("HEAD ") => Some(Reply::Whole("404 Not Found", "")),
        line if line.contains("list-type=2") => Some(Reply::Whole("200 OK", listing)),
        _ => None,
    })
    .await;
    let bucket = open(&url).await.unwrap();
    assert_eq!(bucket.size(&object(1)).await.unwrap(), Some(7));
    assert_eq!(bucket.size(&object(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_busy_server_is_a_failure_that_passes() {
    let busy = || Reply::Whole("503 Slow Down", "<Error><Code>SlowDown</Code></Error>");
    let bucket = open(&serve(move |_| busy()).await).await.unwrap();
    away(put(&bucket, &object(1), pattern(10)).await);
    away(Blobs::open(&bucket, &object(1), None).await);
    away(bucket.size(&object(1)).await);
}

#[tokio::test]
async fn an_object_is_stored_only_when_the_server_has_joined_its_parts() {
    for (joined, size) in [
        ("<Error><Code>InternalError</Code></Error>", "5242881"),
        ("", "5242881"),
        (
            "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>",
            "5242880",
        ),
    ] {
        let cut: &'static str = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").leak();
        let says = move |line: &str| match line {
            line if line.contains("?uploads") => Reply::Whole("200 OK", BEGUN),
            line if line.starts_with("POST ") => Reply::Whole("200 OK", joined),
            line if line.starts_with("PUT ") => Reply::Whole("200 OK\r\nETag: \"1\"", ""),
            line if line.starts_with("DELETE ") => {
                assert!(line.contains("uploadid=a%2bb%2fc%3d"), "{line}");
                Reply::Whole("204 No Content", "")
            }
            _ => Reply::Cut(cut),
        };
        let bucket = open(&serve(says).await).await.unwrap();
        let body = pattern(usize::try_from(PART).unwrap() + 1);
        let fault = put(&bucket, &object(1), body).await.unwrap_err();
        assert_eq!(fault.kind, Kind::StoreUnavailable, "{fault:?}");
    }
}

#[tokio::test]
async fn a_part_that_fails_fails_the_object_and_removes_the_others() {
    let aborted = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&aborted);
    let says = move |line: &str| match line {
        line if line.contains("?uploads") => Reply::Whole("200 OK", BEGUN),
        line if line.contains("partnumber=1") => Reply::Whole("200 OK\r\nETag: \"1\"", ""),
        line if line.starts_with("DELETE ") => {
            told.notify_one();
            Reply::Whole("204 No Content", "")
        }
        _ => Reply::Whole("500 Internal Server Error", ""),
    };
    let bucket = open(&serve(says).await).await.unwrap();
    away(put(&bucket, &object(1), pattern(usize::try_from(3 * PART).unwrap())).await);
    aborted.notified().await;
}

#[tokio::test]
async fn a_read_on_a_connection_that_breaks_is_asked_once_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let says = move |_: &str| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Cut(""),
        _ => Reply::Whole("200 OK", "body"),
    };
    let bucket = open(&serve(says).await).await.unwrap();
    assert_eq!(get(&bucket, &object(1), None).await.unwrap(), b"body");
    assert!(asked.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn a_server_that_tells_of_no_uploads_has_none_for_us() {
    let says = |line: &str| match line {
        line if line.contains("?uploads") => Reply::Whole("501 Not Implemented", ""),
        _ => Reply::Whole("404 Not Found", NO_KEY),
    };
    let bucket = open(&serve(says).await).await.unwrap();
    assert_eq!(bucket.leftovers(Time(i64::MAX)).await.unwrap(), [""; 0]);
    assert_eq!(bucket.sweep(Time(i64::MAX)).await.unwrap(), 0);
    assert!(Blobs::open(&bucket, &object(1), None).await.unwrap().is_none());
}

#[tokio::test]
async fn what_does_not_speak_s3_or_lives_elsewhere_is_named() {
    for (reply, setting) in [
        (Reply::Whole("200 OK", "<!doctype html><p>Console"), "s3.endpoint"),
        (
            Reply::Whole(
                "400 Bad Request",
                "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu</Region></Error>",
            ),
            "s3.region",
        ),
        (Reply::Whole("404 Not Found", ""), "s3.bucket"),
    ] {
        let reply = Mutex::new(Some(reply));
        let url = stub::serve_all(move |_| reply.lock().unwrap().take()).await;
        let fault = open(&url).await.map(drop).unwrap_err();
        assert!(fault.what.contains(setting), "{fault:?}");
    }
}
