//! A typed client of `/api/v2`, for the command line, the terminal and tests: both ends are ours.
//!
//! It lives on an actix arbiter (awc is single-threaded) and follows no redirects.

use std::time::Duration;

use artifactapi_core::repository::{LocalSettings, RemoteSettings};
use awc::http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::gc::{GcOrder, GcStatus};
use crate::health::Health;
use crate::objects::{EvictQuery, Evicted, ObjectPage, ObjectQuery};
use crate::probe::{ProbeOrder, ProbeReport};
use crate::problem::Problem;
use crate::repository::{Document, Draft, Settings};
use crate::secrets::Rotation;
use crate::stats::Stats;

/// Longest answer it reads.
const MAX_ANSWER: usize = 32 << 20;
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a call came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The server said so.
    Refused(Box<Problem>),
    /// No answer, or none that could be read.
    Unreachable(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Refused(problem) => {
                write!(f, "{} ({})", problem.detail, problem.status)?;
                problem
                    .errors
                    .iter()
                    .try_for_each(|wrong| write!(f, "; {} {}", wrong.field, wrong.reason))
            }
        }
    }
}

impl std::error::Error for Failure {}

/// Result of a call.
pub type Result<T> = std::result::Result<T, Failure>;

/// The client.
#[derive(Clone)]
pub struct Client {
    http: awc::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `base` (its root, without `/api/v2`), with an admin token where one is at hand.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the crate that owns the clients"
    )]
    pub fn new(base: Url, token: Option<String>) -> Self {
        // awc takes the process-wide provider of TLS; whoever set it first, it is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = awc::Client::builder()
            .timeout(PATIENCE)
            .disable_redirects()
            .finish();
        Self { http, base, token }
    }

    /// Every remote.
    pub async fn remotes(&self) -> Result<Vec<Document<RemoteSettings>>> {
        self.list("remotes").await
    }

    /// Every local.
    pub async fn locals(&self) -> Result<Vec<Document<LocalSettings>>> {
        self.list("locals").await
    }

    /// Creates a repository.
    pub async fn create<S: Settings>(&self, draft: &Draft<S>) -> Result<Document<S>> {
        self.call(Method::POST, &[&format!("{}s", S::KIND)], "", Some(draft.body()))
            .await
    }

    /// A repository by name.
    pub async fn get<S: Settings>(&self, name: &str) -> Result<Document<S>> {
        self.call(Method::GET, &[&format!("{}s", S::KIND), name], "", None)
            .await
    }

    /// Replaces a repository as a whole; `keep_objects` keeps what is cached although its upstream changes.
    pub async fn replace<S: Settings>(&self, draft: &Draft<S>, keep_objects: bool) -> Result<Document<S>> {
        let query = if keep_objects { "keep_objects=true" } else { "" };
        let path = [&format!("{}s", S::KIND), draft.name.as_str()];
        self.call(Method::PUT, &path, query, Some(draft.body())).await
    }

    /// Applies a merge patch (RFC 7396).
    pub async fn patch<S: Settings>(&self, name: &str, patch: Value) -> Result<Document<S>> {
        self.call(Method::PATCH, &[&format!("{}s", S::KIND), name], "", Some(patch))
            .await
    }

    /// Deletes a repository with everything it holds.
    pub async fn delete<S: Settings>(&self, name: &str) -> Result<()> {
        let path = [&format!("{}s", S::KIND), name];
        self.send(Method::DELETE, &path, "", None).await.map(drop)
    }

    /// A page of a repository's objects.
    pub async fn objects<S: Settings>(&self, name: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        let path = [&format!("{}s", S::KIND), name, "objects"];
        self.call(Method::GET, &path, &encode(query), None).await
    }

    /// Evicts a remote's objects, or deletes a local's.
    pub async fn evict<S: Settings>(&self, name: &str, query: &EvictQuery) -> Result<Evicted> {
        let path = [&format!("{}s", S::KIND), name, "objects"];
        self.call(Method::DELETE, &path, &encode(query), None).await
    }

    /// Statistics.
    pub async fn stats(&self) -> Result<Stats> {
        self.call(Method::GET, &["stats"], "", None).await
    }

    /// Health; with details where there is a token.
    pub async fn health(&self) -> Result<Health> {
        self.call(Method::GET, &["health"], "", None).await
    }

    /// Tries a path on a remote's upstream.
    pub async fn probe(&self, order: &ProbeOrder) -> Result<ProbeReport> {
        self.call(Method::POST, &["probe"], "", Some(value(order))).await
    }

    /// Collects now; gives the report.
    pub async fn collect(&self, order: &GcOrder) -> Result<Value> {
        self.call(Method::POST, &["gc"], "", Some(value(order))).await
    }

    /// The last collection.
    pub async fn collection(&self) -> Result<GcStatus> {
        self.call(Method::GET, &["gc"], "", None).await
    }

    /// Seals every secret with the first key.
    pub async fn rotate_secrets(&self) -> Result<Rotation> {
        self.call(Method::POST, &["secrets", "rotate"], "", None).await
    }

    async fn list<S: Settings>(&self, kind: &str) -> Result<Vec<Document<S>>> {
        self.call(Method::GET, &[kind], "", None).await
    }

    /// Sends, and reads the answer as a document.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> Result<T> {
        let answer = self.send(method, path, query, body).await?;
        serde_json::from_slice(&answer).map_err(unreadable)
    }

    /// Sends; gives the bytes of a good answer.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> Result<bytes::Bytes> {
        let mut request = self.http.request(method, self.url(path, query)?.as_str());
        if let Some(token) = &self.token {
            request = request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")));
        }
        let sent = match &body {
            Some(document) => request.send_json(document),
            None => request.send(),
        };
        let mut answer = sent
            .await
            .map_err(|fault| Failure::Unreachable(fault.to_string()))?;
        // A health that is down comes with 503 and is an answer all the same.
        let health = answer.status() == StatusCode::SERVICE_UNAVAILABLE && path.first() == Some(&"health");
        let good = answer.status().is_success() || health;
        let status = answer.status();
        let bytes = answer.body().limit(MAX_ANSWER).await.map_err(unreadable)?;
        if good {
            return Ok(bytes);
        }
        match serde_json::from_slice(&bytes) {
            Ok(problem) => Err(Failure::Refused(Box::new(problem))),
            Err(_) => Err(Failure::Unreachable(format!(
                "the answer was {status} and no problem document"
            ))),
        }
    }

    fn url(&self, path: &[&str], query: &str) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::Unreachable("the server's URL has no path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "v2"])
            .extend(path);
        url.set_query((!query.is_empty()).then_some(query));
        Ok(url)
    }
}

fn unreadable(fault: impl std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("the answer cannot be read: {fault}"))
}

fn value(document: &impl serde::Serialize) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

/// A flat document as a query; only text, numbers and truth values occur.
fn encode(query: &impl serde::Serialize) -> String {
    let Value::Object(fields) = value(query) else {
        return String::new();
    };
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pairs.append_pair(name, &text);
    }
    pairs.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        Client::new(base.parse().unwrap(), None)
    }

    #[test]
    fn names_are_escaped_and_a_prefix_of_the_server_is_kept() {
        for (base, url) in [
            ("http://h.example", "http://h.example/api/v2/remotes/a%2Fb"),
            (
                "http://h.example/cache/",
                "http://h.example/cache/api/v2/remotes/a%2Fb",
            ),
        ] {
            assert_eq!(client(base).url(&["remotes", "a/b"], "").unwrap().as_str(), url);
        }
    }

    #[test]
    fn queries_leave_out_what_is_not_set() {
        let query = EvictQuery {
            prefix: Some("a b&c".into()),
            forget: Some(true),
            ..EvictQuery::default()
        };
        assert_eq!(encode(&query), "forget=true&prefix=a+b%26c");
        assert_eq!(encode(&ObjectQuery::default()), "");
    }

    #[test]
    fn a_refusal_prints_its_fields() {
        use artifactapi_core::fault::{FieldError, Kind};
        let problem = Problem::new(Kind::Invalid, "the document is refused")
            .with_errors(vec![FieldError::new("base_url", "is required")]);
        assert_eq!(
            Failure::Refused(Box::new(problem)).to_string(),
            "the document is refused (422); base_url is required"
        );
    }
}
