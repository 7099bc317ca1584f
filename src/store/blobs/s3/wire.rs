//! One exchange with the server: signed by rust-s3, sent by its client, bounded in time by us.
//!
//! The library knows one time-out for a whole exchange, body included, and its client none for connecting. So each
//! exchange has a limit until the head of its answer, bodies have one per piece, and while an answer is awaited the
//! server's address is tried beside it: a server that cannot be connected to is given up after two seconds, and by those
//! who read also one that takes connections and answers nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::s3::Bucket as Handle;
use ::s3::command::{Command, Multipart};
use ::s3::error::S3Error;
use ::s3::request::Request;
use ::s3::request::tokio_backend::ReqwestRequest;
use artifactapi_core::fault::{Fault, Kind};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::{sleep, timeout};
use url::Url;

use super::trouble::{Reason, Trouble};

/// Bytes of a body that must leave per second, or the upload is given up.
const SLOWEST: u64 = 512 << 10;
/// Bytes of a body that are digested at once.
const SMALL: usize = 256 << 10;
/// The media type of every object; what it really is, the catalog knows.
pub(super) const MEDIA: &str = "application/octet-stream";

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a connection; and for any answer at all, once an exchange has waited as long.
    pub(super) connect: Duration,
    /// For the head of an answer, or the next piece of a body.
    pub(super) idle: Duration,
    /// For joining the parts of an object.
    pub(super) joining: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            idle: Duration::from_secs(10),
            joining: Duration::from_mins(2),
        }
    }
}

/// The head of an answer, with its body to come.
pub(super) type Answer = <ReqwestRequest<'static> as Request>::Response;

/// Address and fields of a request.
type Signed = (Url, <ReqwestRequest<'static> as Request>::HeaderMap);

/// The bucket as seen over the network.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) handle: Handle,
    pub(super) patience: Patience,
    host: String,
    port: u16,
    /// Whether the server is reached without a proxy, so that trying its address says something.
    direct: AtomicBool,
}

impl Wire {
    pub(super) fn new(handle: Handle, patience: Patience) -> Result<Self, Fault> {
        let malformed = || Fault::new(Kind::StoreUnavailable, "s3.endpoint and s3.bucket make no URL");
        let url = Url::parse(&handle.url()).map_err(|error| malformed().because(error))?;
        let host = url.host_str().ok_or_else(malformed)?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().ok_or_else(malformed)?,
            direct: AtomicBool::new(true),
            handle,
            patience,
        })
    }

    /// Finds out whether the server, which has answered, is reached without a proxy.
    pub(super) async fn find_way(&self) {
        self.direct.store(self.connect().await.is_ok(), Ordering::Relaxed);
    }

    /// Waits for an exchange as long as `limit`, and as long as the server can be connected to.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<T, S3Error>>,
    ) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            done = exchange => done.map_err(Trouble::from),
            lost = self.lost() => Err(lost),
            () = sleep(limit) => Err(Trouble::new(Reason::Silent, format!("nothing for {limit:?}"))),
        }
    }

    /// Sends what can be sent twice, and does so if the connection breaks, as when the server has just restarted.
    pub(super) async fn twice<T, F>(&self, exchange: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, S3Error>>,
    {
        self.twice_within(self.patience.idle, exchange).await
    }

    async fn twice_within<T, F>(&self, limit: Duration, exchange: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, S3Error>>,
    {
        match self.within(limit, exchange()).await {
            Err(trouble) if trouble.reason == Reason::Broken => self.within(limit, exchange()).await,
            done => done,
        }
    }

    /// Asks about an object, or removes it; gives the head of the answer.
    pub(super) async fn ask(&self, key: &str, command: Command<'_>) -> Result<Answer, Trouble> {
        let exchange = || async {
            let request = ReqwestRequest::new(&self.handle, key, command.clone()).await?;
            request.response().await
        };
        tokio::select! {
            biased;
            done = self.twice(exchange) => done,
            // Who writes waits longer, since a server may answer nobody while it brings bytes to the disk.
            mute = self.mute() => Err(mute),
        }
    }

    /// Puts an object or a part of one, its digest signed, so that the server refuses other bytes. Gives the tag. May be
    /// sent twice: the bytes and the name are the same.
    pub(super) async fn put(
        &self,
        key: &str,
        body: Bytes,
        part: Option<(u32, &str)>,
    ) -> Result<String, Trouble> {
        let limit = self.patience.idle + Duration::from_secs(body.len() as u64 / SLOWEST);
        let exchange = || async {
            let (url, headers) = self.sign(key, &body, part).await?;
            // The library's own way copies the body.
            let sending = self.handle.http_client().put(url).headers(headers);
            let answer = sending.body(body.clone()).send().await?;
            let status = answer.status();
            if !status.is_success() {
                return Err(S3Error::HttpFailWithBody(status.as_u16(), answer.text().await?));
            }
            let tag = answer.headers().get("etag");
            Ok(tag.map(|tag| tag.to_str().map(str::to_owned)).transpose()?)
        };
        let tag = self.twice_within(limit, exchange).await?;
        tag.ok_or_else(|| Trouble::new(Reason::Stranger, "an answer to PUT without ETag"))
    }

    /// Address and fields of a PUT. Digests of large bodies are computed where that keeps no socket waiting.
    async fn sign(&self, key: &str, body: &Bytes, part: Option<(u32, &str)>) -> Result<Signed, S3Error> {
        let (handle, key, body) = (self.handle.clone(), key.to_owned(), body.clone());
        let (large, part) = (
            body.len() > SMALL,
            part.map(|(number, id)| (number, id.to_owned())),
        );
        let signing = async move {
            let command = Command::PutObject {
                content: &body,
                content_type: MEDIA,
                custom_headers: None,
                multipart: part.as_ref().map(|(number, id)| Multipart::new(*number, id)),
            };
            let request = ReqwestRequest::new(&handle, &key, command).await?;
            Ok((request.url()?, request.headers().await?))
        };
        if !large {
            return signing.await;
        }
        let here = runtime::Handle::current();
        let signed = tokio::task::spawn_blocking(move || here.block_on(signing)).await;
        signed.map_err(|crash| S3Error::Io(crash.into()))?
    }

    /// Ends once the server cannot be connected to.
    async fn lost(&self) -> Trouble {
        let mut pause = self.patience.connect;
        loop {
            sleep(pause).await;
            if self.direct.load(Ordering::Relaxed)
                && let Err(trouble) = self.connect().await
            {
                return trouble;
            }
            pause = self.patience.idle;
        }
    }

    /// Ends once the server does not answer a plain question either. One that is only slow with an object does.
    async fn mute(&self) -> Trouble {
        let limit = self.patience.connect;
        let mut pause = limit;
        loop {
            sleep(pause).await;
            let asked = self.handle.http_client().head(self.handle.url()).send();
            if timeout(limit, asked).await.is_err() {
                return Trouble::new(Reason::Silent, format!("no answer to anything for {limit:?}"));
            }
            pause = self.patience.idle;
        }
    }

    async fn connect(&self) -> Result<(), Trouble> {
        let unreachable = |cause: String| Trouble::new(Reason::Unreachable, cause);
        let limit = self.patience.connect;
        let connected = TcpStream::connect((self.host.as_str(), self.port));
        match timeout(limit, connected).await {
            Ok(connected) => connected
                .map(drop)
                .map_err(|error| unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!("no connection for {limit:?}"))),
        }
    }
}
