//! On a real server from `IT_S3_URL`, and on one of the test's own where the server has to misbehave.

mod faults;
mod opening;
mod real;
mod stub;

use std::time::Duration;

use ::s3::bucket_ops::BucketConfiguration;
use ::s3::command::Command;
use ::s3::request::Request as _;
use ::s3::request::tokio_backend::ReqwestRequest;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::*;

/// The bucket that all tests share, each with a prefix of its own.
const BUCKET: &str = "it-store";
/// The smallest part that S3 takes.
const PART: u64 = 5 << 20;

/// Settings for the real server, with a prefix that nobody else has.
fn settings() -> S3 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the servers for tests are named by the environment"
    )]
    let url = std::env::var("IT_S3_URL")
        .expect("IT_S3_URL is missing: eval \"$(scripts/stores start)\" starts what tests need");
    let mut url = Url::parse(&url).expect("IT_S3_URL is no URL");
    let (key, secret) = (url.username().to_owned(), url.password().unwrap().to_owned());
    url.set_username("").unwrap();
    url.set_password(None).unwrap();
    S3 {
        endpoint: Some(url.to_string()),
        bucket: BUCKET.to_owned(),
        access_key: Some(key),
        secret_key: Some(Secret(secret)),
        prefix: format!("{}/", Uuid::now_v7().simple()),
        part_bytes: PART,
        ..S3::default()
    }
}

/// Makes the bucket, once.
async fn made() {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        let settings = settings();
        let handle = handle(&settings, &settings.url().unwrap()).unwrap();
        let config = BucketConfiguration::new(None, false, None, None, None, None, None, None);
        let request = ReqwestRequest::new(&handle, "", Command::CreateBucket { config });
        match request.await.unwrap().response().await {
            Err(error) if !error.to_string().contains("BucketAlreadyOwnedByYou") => panic!("{error}"),
            _ => (),
        }
    };
    MADE.get_or_init(make).await;
}

/// A bucket on the real server, empty.
async fn real(settings: &S3) -> Bucket {
    made().await;
    Bucket::open(settings, &io(), std::env::temp_dir()).await.unwrap()
}

fn io() -> Io {
    Io::start().unwrap()
}

fn object(n: u32) -> ObjectName {
    ObjectName::upload(Uuid::from_u128(u128::from(n) << 100))
}

fn pattern(len: usize) -> Bytes {
    (0..len)
        .map(|i| u8::try_from((i / 7) % 251).unwrap())
        .collect::<Vec<_>>()
        .into()
}

async fn put(bucket: &Bucket, object: &ObjectName, bytes: Bytes) -> Result<u64, Fault> {
    let mut writer = bucket.create(object).await?;
    for chunk in bytes.chunks(300_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await?;
    }
    writer.commit().await
}

async fn get(bucket: &Bucket, object: &ObjectName, span: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
    let body = Blobs::open(bucket, object, span).await?.expect("no such object");
    let pieces: Vec<Bytes> = body.try_collect().await?;
    Ok(pieces.concat())
}
