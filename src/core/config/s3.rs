//! `[s3]`: the bucket of blobs, for several replicas.

use url::Url;

use super::section::{positive, section};
use crate::fault::FieldError;
use crate::repository::Secret;

/// Smallest part of a multipart upload that every S3 server takes.
const SMALLEST_PART: u64 = 5 << 20;
/// Largest part: up to two are held in memory for each upload under way.
const LARGEST_PART: u64 = 64 << 20;

section! {
    /// The bucket of blobs (MinIO, Ceph RGW, Garage, AWS). Without an endpoint the blobs lie in the data folder.
    S3 = "s3" {
        /// URL of the server, or `host:port`, then `secure` says whether by HTTPS.
        endpoint: Option<String> = None;
        /// Whether an endpoint without a scheme is reached by HTTPS.
        secure: bool = false;
        /// Bucket; it must exist.
        bucket: String = "artifactapi".to_owned();
        /// Access key.
        access_key: Option<String> = None;
        /// Secret key.
        secret_key: Option<Secret> = None;
        /// Region, as the server calls it.
        region: String = "us-east-1".to_owned();
        /// Whether the bucket is named in the path; otherwise in the host name.
        path_style: bool = true;
        /// What every object's key begins with.
        prefix: String = String::new();
        /// Bytes of a part; up to two are held in memory for each upload under way.
        part_bytes: u64 = 8 << 20;
        /// Where clients reach the server, for repositories that send them there; without it the endpoint.
        public_endpoint: Option<Url> = None;
        /// Seconds for which a link to an object is good.
        link_seconds: u64 = 300;
    }
}

impl S3 {
    /// The server's URL; `None` where there is none, or where it is malformed, which [`S3::validate`] reports.
    pub fn url(&self) -> Option<Url> {
        let endpoint = self.endpoint.as_ref()?;
        let scheme = if self.secure { "https" } else { "http" };
        let text = if endpoint.contains("://") {
            endpoint.clone()
        } else {
            format!("{scheme}://{endpoint}")
        };
        let url = Url::parse(&text).ok()?;
        (["http", "https"].contains(&url.scheme()) && url.has_host()).then_some(url)
    }

    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = positive(&[("link_seconds", self.link_seconds)]);
        if self.endpoint.is_some() && self.url().is_none() {
            errors.push(FieldError::new("endpoint", "must be a URL or `host:port`"));
        }
        if !(SMALLEST_PART..=LARGEST_PART).contains(&self.part_bytes) {
            let reason = format!("must be from {SMALLEST_PART} to {LARGEST_PART}");
            errors.push(FieldError::new("part_bytes", reason));
        }
        if self.prefix.starts_with('/') {
            errors.push(FieldError::new("prefix", "must not begin with `/`"));
        }
        for (key, missing) in [
            ("access_key", self.access_key.is_none()),
            ("secret_key", self.secret_key.is_none()),
        ] {
            if self.endpoint.is_some() && missing {
                errors.push(FieldError::new(key, "is missing"));
            }
        }
        errors
    }
}
