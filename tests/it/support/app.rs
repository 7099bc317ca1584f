//! The program under test: a child process on a folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Reply;
use super::parts::Shared;
use super::process::{Ran, fsck, leftovers, log_file, spawn, terminate};
use super::setup::Setup;
use super::{PATIENCE, eventually};

/// The admin token of every program under test.
pub(crate) const TOKEN: &str = "it-admin-token-0123456789abcdef0123456789";

/// A running program.
pub(crate) struct App {
    child: Child,
    data: TempDir,
    env: BTreeMap<String, String>,
    shared: Arc<Shared>,
    address: SocketAddr,
    http: reqwest::Client,
    audited: bool,
}

impl App {
    /// Starts a program on a new folder and on these stores.
    pub(super) async fn launch(env: BTreeMap<String, String>, shared: Arc<Shared>) -> Self {
        let mut app = Self::begin(env, shared);
        app.address = app.wait_ready().await;
        app
    }

    /// As [`launch`](Self::launch), without waiting until it is ready: it may die before.
    pub(super) fn begin(env: BTreeMap<String, String>, shared: Arc<Shared>) -> Self {
        let env: BTreeMap<_, _> = shared.env().into_iter().chain(env).collect();
        let data = TempDir::new().expect("a temporary folder");
        Self {
            child: spawn(data.path(), &env),
            data,
            env,
            shared,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            http: client(),
            audited: true,
        }
    }

    /// Sets a variable of its environment from the next start on, or takes it away.
    pub(crate) fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.env.insert(name.into(), value.into())),
            None => drop(self.env.remove(name)),
        }
    }

    /// A further program on the same stores, with a folder of its own.
    pub(crate) async fn replica(&self) -> Self {
        Self::launch(self.env.clone(), Arc::clone(&self.shared)).await
    }

    /// A program with the usual settings.
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    /// A program with other settings than the usual.
    pub(crate) fn setup() -> Setup {
        Setup::default()
    }

    async fn wait_ready(&mut self) -> SocketAddr {
        let end = Instant::now() + PATIENCE;
        let file = self.data.path().join("address");
        loop {
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            let address = written
                .trim()
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse();
            if let Ok(address) = address {
                self.address = address;
                if self.get("/api/v2/health/ready").await.status == 200 {
                    return address;
                }
            }
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                panic!("the program ended with {status}\n{}", self.log());
            }
            assert!(
                Instant::now() < end,
                "the program never became ready\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The stores that its replicas share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What it wrote to standard error, over all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_file(self.data.path())).unwrap_or_default()
    }

    /// A request to a path of the program.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    /// GET of a path of the program.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::GET, path)).await
    }

    /// The path under which a repository's object is served.
    pub(crate) fn path(repo: &str, path: &str) -> String {
        format!("/api/v1/remote/{repo}/{}", path.trim_start_matches('/'))
    }

    /// GET of an object of a repository.
    pub(crate) async fn read(&self, repo: &str, path: &str) -> Reply {
        self.get(&Self::path(repo, path)).await
    }

    /// GET of an object of a repository with further field lines.
    pub(crate) async fn read_with(&self, repo: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.request(Method::GET, &Self::path(repo, path));
        let request = fields
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        Reply::of(request).await
    }

    /// PUT to a local, with the admin token.
    pub(crate) async fn put(&self, repo: &str, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        let request = self.request(Method::PUT, &Self::path(repo, path));
        Reply::of(request.bearer_auth(TOKEN).body(body)).await
    }

    /// DELETE from a local, with the admin token.
    pub(crate) async fn delete(&self, repo: &str, path: &str) -> Reply {
        let request = self.request(Method::DELETE, &Self::path(repo, path));
        Reply::of(request.bearer_auth(TOKEN)).await
    }

    /// A call of the admin API; `Null` sends no body.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = self.request(method, path).bearer_auth(TOKEN);
        let request = if body.is_null() {
            request
        } else {
            request
                .header("content-type", "application/json")
                .body(body.to_string())
        };
        Reply::of(request).await
    }

    /// Creates a remote of `base`, with further settings.
    pub(crate) async fn create_remote(&self, name: &str, kind: &str, base: &str, settings: Value) {
        let mut document = json!({"name": name, "package_type": kind, "base_url": base});
        merge(&mut document, settings);
        self.admin(Method::POST, "/api/v2/remotes", document)
            .await
            .expect(201);
    }

    /// Creates a local, with further settings.
    pub(crate) async fn create_local(&self, name: &str, kind: &str, settings: Value) {
        let mut document = json!({"name": name, "package_type": kind});
        merge(&mut document, settings);
        self.admin(Method::POST, "/api/v2/locals", document)
            .await
            .expect(201);
    }

    /// Health with its details.
    pub(crate) async fn health(&self) -> Value {
        self.admin(Method::GET, "/api/v2/health", Value::Null)
            .await
            .json()
    }

    /// The paths that a remote has cached.
    pub(crate) async fn objects(&self, remote: &str) -> Vec<Value> {
        let path = format!("/api/v2/remotes/{remote}/objects?limit=1000");
        let page = self
            .admin(Method::GET, &path, Value::Null)
            .await
            .expect(200)
            .json();
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a remote has stored an object under a path, and gives it.
    pub(crate) async fn stored(&self, remote: &str, path: &str) -> Value {
        eventually(&format!("{path} stored"), || async {
            let objects = self.objects(remote).await;
            objects
                .into_iter()
                .find(|object| object["path"] == path.trim_start_matches('/'))
        })
        .await
    }

    /// Evicts objects of a remote; `query` is `all=true`, `path=…` and so on.
    pub(crate) async fn evict(&self, remote: &str, query: &str) -> Value {
        let path = format!("/api/v2/remotes/{remote}/objects?{query}");
        self.admin(Method::DELETE, &path, Value::Null)
            .await
            .expect(200)
            .json()
    }

    /// A line of `/proc/<pid>/status` in KiB: `VmRSS`, `VmHWM`.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the program runs");
        let found = status
            .lines()
            .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let number = found.and_then(|text| text.split_whitespace().next());
        number.and_then(|text| text.parse().ok()).expect("a number of kB")
    }

    /// Makes `VmHWM` begin anew.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("our own child");
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the child can be killed");
        self.child.wait().expect("the child ends");
    }

    /// Asks it to stop; its exit code once it has.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        terminate(&mut self.child)
    }

    /// Waits until it ends by itself; its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        self.end().await.code()
    }

    /// Waits until it ends by itself; the signal that ended it.
    pub(crate) async fn killed(&mut self) -> Option<i32> {
        self.end().await.signal()
    }

    async fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status;
            }
            assert!(Instant::now() < end, "the program did not end\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again on the same folder, after a stop or a kill.
    pub(crate) async fn restart(&mut self) {
        drop(std::fs::remove_file(self.data.path().join("address")));
        self.child = spawn(self.data.path(), &self.env);
        self.http = client();
        self.address = self.wait_ready().await;
    }

    /// Runs `fsck` on the stores.
    pub(crate) fn fsck(&self, arguments: &[&str]) -> Ran {
        fsck(self.data.path(), &self.shared.env(), arguments)
    }

    /// Leaves out the checks at the end: the test has damaged the folder on purpose.
    pub(crate) fn damaged(&mut self) {
        self.audited = false;
    }
}

impl Drop for App {
    /// Stops the program and fails the test if the store is not clean or anything is left over.
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            terminate(&mut self.child);
        }
        if std::thread::panicking() {
            eprintln!("--- log of the program\n{}", tail(&self.log(), 4000));
            return;
        }
        if self.audited {
            let ran = self.fsck(&["--rehash"]);
            assert_eq!(ran.code, Some(0), "fsck: {}", ran.output);
            assert_eq!(leftovers(self.data.path()), Vec::<PathBuf>::new(), "left over");
        }
    }
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client")
}

fn merge(document: &mut Value, settings: Value) {
    if let Value::Object(fields) = settings {
        for (name, value) in fields {
            document[name] = value;
        }
    }
}

fn tail(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(text.len())..]
}
