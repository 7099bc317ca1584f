//! What S3 says when it fails, and which setting that speaks of.

use std::error::Error;
use std::time::Duration;

use ::s3::error::S3Error;
use artifactapi_core::fault::{Fault, Kind};

/// When to try a store again that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// Bytes of an answer that go into the log.
const QUOTED: usize = 400;

/// Why an exchange failed.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    cause: String,
}

/// The reasons that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The bucket holds no such object.
    NoObject,
    /// 404 without a word: no such object, or no such bucket.
    NotFound,
    /// No object has the bytes asked for.
    OutOfRange,
    /// There is no such bucket.
    NoBucket,
    /// The server does not know the access key.
    UnknownKey,
    /// The secret does not belong to the access key.
    WrongSecret,
    /// The key is known and may not do this.
    Denied,
    /// The server calls its region otherwise.
    WrongRegion,
    /// The clocks are too far apart for a signature to hold.
    Clock,
    /// The server does not offer this.
    NotOffered,
    /// What answers is no S3 server.
    Stranger,
    /// No connection.
    Unreachable,
    /// A connection, but no answer in time.
    Silent,
    /// The connection broke before the answer.
    Broken,
    /// Anything else, such as `SlowDown`.
    Other,
}

impl Trouble {
    pub(super) fn new(reason: Reason, cause: impl Into<String>) -> Self {
        Self {
            reason,
            cause: cause.into(),
        }
    }

    /// The server answered, and refused.
    pub(super) fn refused(status: u16, body: &str) -> Self {
        let quoted: String = body.chars().take(QUOTED).collect();
        Self::new(reason(status, code(body)), format!("{status} {quoted}"))
    }

    /// Whether the server lacks the call, or gives no right to it.
    pub(super) fn is_not_offered(&self) -> bool {
        use Reason::{Denied, NotOffered, Stranger};
        matches!(self.reason, NotOffered | Denied | Stranger)
    }
}

impl From<S3Error> for Trouble {
    fn from(error: S3Error) -> Self {
        match &error {
            S3Error::HttpFailWithBody(status, body) => Self::refused(*status, body),
            S3Error::SerdeXml(_) | S3Error::Utf8(_) => Self::new(Reason::Stranger, chain(&error)),
            S3Error::Reqwest(sent) if sent.is_connect() => Self::new(Reason::Unreachable, chain(&error)),
            S3Error::Reqwest(sent) if sent.is_timeout() => Self::new(Reason::Silent, chain(&error)),
            S3Error::Reqwest(_) => Self::new(Reason::Broken, chain(&error)),
            _ => Self::new(Reason::Other, chain(&error)),
        }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        let Trouble { reason, cause } = trouble;
        let what = match reason {
            Reason::NoBucket => "there is no bucket of the name in s3.bucket",
            Reason::UnknownKey => "the object store does not know the key in s3.access_key",
            Reason::WrongSecret => "s3.secret_key is not the secret of s3.access_key",
            Reason::Denied => "the object store does not let s3.access_key do this in s3.bucket",
            Reason::WrongRegion => "the region of the object store is not the one in s3.region",
            Reason::Stranger => "what answers at s3.endpoint does not speak S3",
            Reason::Clock => "the clock of the object store is too far from ours",
            Reason::Unreachable => "the object store cannot be reached",
            Reason::Silent => "the object store does not answer",
            _ => "the object store failed",
        };
        let fault = Self::ours(Kind::StoreUnavailable, what, cause);
        match reason {
            Reason::Unreachable | Reason::Silent | Reason::Broken | Reason::Other => fault.retry_after(PAUSE),
            _ => fault,
        }
    }
}

/// What status and code of an answer mean.
fn reason(status: u16, code: Option<&str>) -> Reason {
    match (status, code.unwrap_or_default()) {
        (_, "NoSuchKey") => Reason::NoObject,
        (_, "NoSuchBucket" | "InvalidBucketName") => Reason::NoBucket,
        (_, "InvalidAccessKeyId") => Reason::UnknownKey,
        (_, "SignatureDoesNotMatch") => Reason::WrongSecret,
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException")
        | (301, _) => Reason::WrongRegion,
        (_, "RequestTimeTooSkewed") => Reason::Clock,
        (_, "NotImplemented" | "MethodNotAllowed") | (405 | 501, _) => Reason::NotOffered,
        (416, _) => Reason::OutOfRange,
        (404, _) => Reason::NotFound,
        (401 | 403, _) => Reason::Denied,
        _ => Reason::Other,
    }
}

/// The code in an error document.
fn code(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// An error with all that lies beneath it, in one line.
fn chain(error: &S3Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        beneath = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_in_the_settings_is_named() {
        for (status, code, setting) in [
            (404, "NoSuchBucket", "s3.bucket"),
            (403, "InvalidAccessKeyId", "s3.access_key"),
            (403, "SignatureDoesNotMatch", "s3.secret_key"),
            (403, "AccessDenied", "s3.access_key"),
            (400, "AuthorizationHeaderMalformed", "s3.region"),
            (301, "PermanentRedirect", "s3.region"),
        ] {
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let fault = Fault::from(Trouble::refused(status, &body));
            assert_eq!(fault.kind, Kind::StoreUnavailable);
            assert!(fault.what.contains(setting), "{fault:?}");
        }
    }

    #[test]
    fn a_404_without_a_word_is_neither_the_object_nor_the_bucket() {
        assert_eq!(Trouble::refused(404, "").reason, Reason::NotFound);
        assert_eq!(
            Trouble::refused(404, "<Error><Code>NoSuchKey</Code></Error>").reason,
            Reason::NoObject
        );
        assert_eq!(
            Trouble::refused(503, "<Error><Code>SlowDown</Code></Error>").reason,
            Reason::Other
        );
    }
}
