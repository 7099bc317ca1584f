//! A server that says what the test tells it to say.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;

use super::*;

/// What the server does with a request.
pub(super) enum Reply {
    /// Status line and fields without the length, and the body.
    Whole(&'static str, &'static str),
    /// These bytes, then the end of the connection.
    Cut(&'static str),
    /// These bytes, then nothing more.
    Silence(&'static str),
}

const EMPTY_LIST: Reply = Reply::Whole(
    "200 OK",
    "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
);

/// Answers to what opening a bucket asks; everything else is the test's.
fn usual(line: &str) -> Option<Reply> {
    match line {
        line if line.contains("list-type=2") => Some(EMPTY_LIST),
        line if line.starts_with("PUT ") && line.contains("/probe/") => {
            Some(Reply::Whole("200 OK\r\nETag: \"1\"", ""))
        }
        line if line.starts_with("DELETE ") && line.contains("/probe/") => {
            Some(Reply::Whole("204 No Content", ""))
        }
        _ => None,
    }
}

/// Starts a server that lets a bucket be opened; for other requests `says` is asked. Gives its URL.
pub(super) async fn serve(says: impl Fn(&str) -> Reply + Send + Sync + 'static) -> String {
    serve_all(move |line| usual(line).or_else(|| Some(says(line)))).await
}

/// Starts a server; `says` is told the first line of each request, with all but the verb in small letters. Where it has
/// no answer the usual one is given. Gives its URL.
pub(super) async fn serve_all(says: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let says = Arc::new(says);
    let accepting = async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let says = Arc::clone(&says);
            runtime::Handle::current().spawn(async move { connection(socket, &*says).await });
        }
    };
    runtime::Handle::current().spawn(accepting);
    url
}

async fn connection(mut socket: TcpStream, says: &(dyn Fn(&str) -> Option<Reply> + Send + Sync)) {
    while let Some(line) = request(&mut socket).await {
        let (bytes, goes_on) = match says(&line).or_else(|| usual(&line)).unwrap() {
            Reply::Whole(head, body) => {
                let length = format!("Content-Length: {}", body.len());
                (format!("HTTP/1.1 {head}\r\n{length}\r\n\r\n{body}"), true)
            }
            Reply::Cut(bytes) => (bytes.to_owned(), false),
            Reply::Silence(bytes) => {
                socket.write_all(bytes.as_bytes()).await.unwrap();
                std::future::pending().await
            }
        };
        if socket.write_all(bytes.as_bytes()).await.is_err() || !goes_on {
            return;
        }
    }
}

/// Reads a request with its body; gives its first line.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    socket.read_exact(&mut body).await.ok()?;
    let first = head.lines().next()?.to_owned();
    let (verb, rest) = first.split_once(' ')?;
    Some(format!("{} {rest}", verb.to_ascii_uppercase()))
}

/// Settings for a server at `url`.
pub(super) fn settings_for(url: &str) -> S3 {
    S3 {
        endpoint: Some(url.to_owned()),
        bucket: "bucket".to_owned(),
        access_key: Some("key".to_owned()),
        secret_key: Some(Secret("secret".to_owned())),
        part_bytes: PART,
        ..S3::default()
    }
}

/// A bucket on that server, with little patience.
pub(super) async fn open(url: &str) -> Result<Bucket, Fault> {
    let patience = Patience {
        connect: Duration::from_millis(300),
        idle: Duration::from_millis(700),
        joining: Duration::from_millis(700),
    };
    let scratch = std::env::temp_dir();
    Bucket::at(&settings_for(url), &io(), scratch, false, patience).await
}
