//! Opening: each mistake in the settings is named, and nothing is written for readers.

use super::*;

async fn refused(settings: &S3) -> String {
    let opened = Bucket::open(settings, &io(), std::env::temp_dir()).await;
    let fault = opened.map(drop).unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable, "{fault:?}");
    fault.what
}

#[tokio::test]
async fn what_is_wrong_is_said_by_the_name_of_its_setting() {
    made().await;
    let mut settings = settings();
    settings.bucket = "it-no-such-bucket".to_owned();
    assert!(refused(&settings).await.contains("s3.bucket"));

    settings.bucket = BUCKET.to_owned();
    settings.access_key = Some("nobody".to_owned());
    assert!(refused(&settings).await.contains("s3.access_key"));

    settings = super::settings();
    settings.secret_key = Some(Secret("wrong".to_owned()));
    assert!(refused(&settings).await.contains("s3.secret_key"));

    settings.endpoint = None;
    assert!(refused(&settings).await.contains("s3.endpoint"));
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let settings = settings();
    let bucket = real(&settings).await;
    put(&bucket, &object(1), pattern(10)).await.unwrap();
    let reader = Bucket::open_read_only(&settings, &io(), std::env::temp_dir())
        .await
        .unwrap();
    assert_eq!(get(&reader, &object(1), None).await.unwrap(), pattern(10));
    reader.check().await.unwrap();
    assert!(reader.create(&object(2)).await.is_err());
    assert!(reader.delete(&object(1)).await.is_err());
    assert!(reader.sweep(Time(0)).await.is_err());
    assert_eq!(bucket.size(&object(1)).await.unwrap(), Some(10));
}
