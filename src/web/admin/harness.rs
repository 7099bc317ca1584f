//! A program without sockets for tests of handlers: real stores in a folder, real workers, a scripted upstream.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, Error, test};
use artifactapi_actors::root::{Deps, Root, Settings};
use artifactapi_core::clock::{Clock, SystemClock};
use artifactapi_core::config::Config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::headers::Headers;
use artifactapi_core::port::blobs::Blobs;
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::port::hot::Hot;
use artifactapi_core::port::upstream::{Answer, Head, Request, Upstream};
use artifactapi_core::repository::Secret;
use artifactapi_engine::admin::{self, Admin, Changes};
use artifactapi_engine::{Engine, Hooks, Parts};
use artifactapi_store::blobs::fs::Folder;
use artifactapi_store::catalog::sqlite::Sqlite;
use artifactapi_store::hot::memory::Memory;
use artifactapi_store::memo::Memos;
use artifactapi_store::spool::Spools;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::access::Tokens;
use crate::metrics::Metrics;
use crate::state::{Phase, State, pace};
use crate::{middleware, routes};

/// The admin token of the bench.
pub(crate) const TOKEN: &str = "bench-token";

/// An upstream whose paths say what it does: `/missing` 404, `/refused` 403, `/away` unreachable, others 200 with
/// their own path as the body.
struct Scripted;

#[async_trait]
impl Upstream for Scripted {
    async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let url = request.urls[0].clone();
        let status = match url.path() {
            "/away" => return Err(Fault::new(Kind::Unreachable, "no connection to upstream")),
            "/missing" => 404,
            "/refused" => 403,
            _ => 200,
        };
        let body = Bytes::from(url.path().to_owned());
        let head = Head {
            status,
            headers: Headers::from_iter([("content-type", "text/plain"), ("set-cookie", "session=hunter2")]),
            url,
            length: Some(body.len() as u64),
            framed: true,
        };
        let body = Box::pin(futures_util::stream::iter([Ok(body)]));
        Ok(Answer { head, body })
    }
}

/// The program.
pub(crate) struct Bench {
    pub(crate) state: Data<State>,
    pub(crate) phase: watch::Sender<Phase>,
    root: Root,
    pub(crate) folder: TempDir,
}

/// What a handler answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The fields that a problem document names.
    pub(crate) fn fields(&self) -> Vec<String> {
        assert_eq!(
            self.headers.get("content-type").unwrap(),
            "application/problem+json"
        );
        let problem: artifactapi_api::Problem = serde_json::from_str(&self.text).unwrap();
        problem.errors.into_iter().map(|error| error.field).collect()
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SystemClock::shared();
        let catalog: Arc<dyn Catalog> =
            Arc::new(Sqlite::open(&folder.path().join("c.sqlite")).await.unwrap());
        let blobs: Arc<dyn Blobs> = Arc::new(Folder::open(folder.path().join("blobs")).unwrap());
        let hot: Arc<dyn Hot> = Arc::new(Memory::new(Arc::clone(&clock)));
        let upstream: Arc<dyn Upstream> = Arc::new(Scripted);
        let hooks = Hooks::default();
        let deps = deps(&clock, (&catalog, &hot), &blobs, &upstream, &folder);
        let (root, handles) = Root::start(deps).await.unwrap();
        let metrics = Arc::new(Metrics::default());
        let config = Config::default();
        let parts = Parts {
            clock: Arc::clone(&clock),
            catalog: Arc::clone(&catalog),
            blobs: Arc::clone(&blobs),
            hot: Arc::clone(&hot),
            upstream: Arc::clone(&upstream),
            handles: handles.clone(),
            memos: Arc::new(Memos::open(folder.path().join("pages"), 0)),
            settings: config.cache.clone(),
            link_lifetime: Duration::from_secs(config.s3.link_seconds),
            observer: metrics.observer(),
            hooks,
        };
        let engine = Arc::new(Engine::new(parts).await.unwrap());
        let admin = Admin::new(admin::Parts {
            catalog,
            blobs,
            hot,
            upstream,
            handles,
            clock,
            changes: Arc::clone(&engine) as Arc<dyn Changes>,
            version: "0.0.0",
        });
        let (phase, phases) = watch::channel(Phase::Serving);
        let state = Data::new(State {
            engine,
            admin: Arc::new(admin),
            access: Tokens::of(&Secret(TOKEN.to_owned())),
            pace: pace(&config),
            metrics,
            metrics_open: false,
            phase: phases,
        });
        Self {
            state,
            phase,
            root,
            folder,
        }
    }

    /// What a server needs to serve this program.
    pub(crate) fn parts(&self) -> crate::Parts {
        crate::Parts {
            engine: Arc::clone(&self.state.engine),
            admin: Arc::clone(&self.state.admin),
            tokens: self.state.access.clone(),
            metrics: Arc::clone(&self.state.metrics),
        }
    }

    /// Ends the workers.
    pub(crate) async fn stop(self) {
        self.root.stop(Duration::from_secs(5)).await;
    }

    /// Calls a path with the token; `Null` sends no body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {TOKEN}");
        self.call_with(method, path, body, &[("authorization", &bearer)])
            .await
    }

    /// Calls a path with the token and this text as the body.
    pub(crate) async fn call_text(&self, method: &str, path: &str, text: &str) -> Reply {
        let bearer = format!("Bearer {TOKEN}");
        self.send(method, path, text.to_owned(), &[("authorization", &bearer)])
            .await
    }

    /// Calls a path with these fields alone.
    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        body: Value,
        fields: &[(&str, &str)],
    ) -> Reply {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, text, fields).await
    }

    async fn send(&self, method: &str, path: &str, body: String, fields: &[(&str, &str)]) -> Reply {
        let request = test::TestRequest::with_uri(path).method(method.parse::<Method>().unwrap());
        let request = fields
            .iter()
            .fold(request, |request, field| request.insert_header(*field));
        let request = if body.is_empty() {
            request
        } else {
            request.set_payload(body)
        };
        let app = test::init_service(
            App::new()
                .app_data(self.state.clone())
                .wrap(from_fn(middleware::guard))
                .configure(routes::configure),
        )
        .await;
        reply(test::try_call_service(&app, request.to_request()).await).await
    }

    /// Creates a generic remote of the scripted upstream.
    pub(crate) async fn remote(&self, name: &str) {
        let document = serde_json::json!({
            "name": name, "package_type": "generic", "base_url": "http://upstream.example/",
        });
        assert_eq!(self.call("POST", "/api/v2/remotes", document).await.status, 201);
    }
}

fn deps(
    clock: &Arc<dyn Clock>,
    (catalog, hot): (&Arc<dyn Catalog>, &Arc<dyn Hot>),
    blobs: &Arc<dyn Blobs>,
    upstream: &Arc<dyn Upstream>,
    folder: &TempDir,
) -> Deps {
    Deps {
        clock: Arc::clone(clock),
        catalog: Arc::clone(catalog),
        hot: Arc::clone(hot),
        replica: "bench".to_owned(),
        blobs: Arc::clone(blobs),
        upstream: Arc::clone(upstream),
        spools: Arc::new(Spools::new(folder.path().join("spools"))),
        settings: Settings {
            fetch_arbiters: 1,
            ..Settings::default()
        },
        evicted: Arc::new(|_| {}),
        repositories: Arc::new(Vec::new),
        renew: Arc::new(|| Box::pin(async { Ok(()) })),
    }
}

async fn reply(answer: Result<ServiceResponse, Error>) -> Reply {
    let response = match answer {
        Ok(response) => response.into_parts().1,
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status(), response.headers().clone());
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    Reply {
        status,
        headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}
