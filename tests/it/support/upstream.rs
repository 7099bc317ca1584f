//! The upstream double: scripts by path, a log of what was asked, and a port that can refuse.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::script::Script;
use super::wire::{self, After};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method.
    pub(crate) method: String,
    /// Request target, query included.
    pub(crate) target: String,
    /// Field lines, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    /// The first line of a name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter();
        lines
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// One request and how its answer went.
#[derive(Debug)]
pub(crate) struct Hit {
    /// When its head was read.
    pub(crate) at: Instant,
    /// What was asked.
    pub(crate) request: Request,
    sent: AtomicU64,
    first: OnceLock<Instant>,
    ended: OnceLock<(Instant, bool)>,
}

impl Hit {
    fn new(request: Request) -> Self {
        Self {
            at: Instant::now(),
            request,
            sent: AtomicU64::new(0),
            first: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    /// Counts body bytes that went to the socket.
    pub(super) fn sent(&self, bytes: u64) {
        if self.sent.fetch_add(bytes, Ordering::SeqCst) + bytes >= 128 << 10 {
            self.first.get_or_init(Instant::now);
        }
    }

    /// Marks the end of the answer.
    pub(super) fn end(&self, whole: bool) {
        self.ended.get_or_init(|| (Instant::now(), whole));
    }

    /// Body bytes that went to the socket so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// When the first 128 KiB of the body had gone out.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first.get().copied()
    }

    /// When the whole body had gone out.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.ended.get().map(|(at, _)| *at)
    }
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    hits: Mutex<Vec<Arc<Hit>>>,
    connections: AtomicUsize,
}

impl Shared {
    /// The script for a target; one with a successor is replaced by it.
    fn script(&self, request: &Request) -> Script {
        let mut scripts = self.scripts.lock().expect("no poison");
        let key = [request.target.as_str(), request.path()]
            .into_iter()
            .find(|key| scripts.contains_key(*key));
        let Some(key) = key.map(str::to_owned) else {
            return Script::status(404);
        };
        let script = scripts[&key].clone();
        if let Some(next) = &script.then {
            scripts.insert(key, (**next).clone());
        }
        script
    }
}

/// A server that does what its scripts say.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
    /// Bound and never listening: it keeps the port while nobody listens.
    _anchor: TcpSocket,
}

impl Upstream {
    /// One on a free loopback port.
    pub(crate) fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::bind(address).expect("a free loopback port")
    }

    /// One on a given address.
    pub(crate) fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let mut upstream = Self::reserve(address)?;
        upstream.listen();
        Ok(upstream)
    }

    /// One whose port is taken and refuses connections until [`listen`](Self::listen).
    pub(crate) fn refusing() -> Self {
        Self::reserve(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free loopback port")
    }

    fn reserve(address: SocketAddr) -> std::io::Result<Self> {
        let anchor = socket_on(address)?;
        Ok(Self {
            address: anchor.local_addr()?,
            shared: Arc::default(),
            serving: None,
            _anchor: anchor,
        })
    }

    /// Accepts connections.
    pub(crate) fn listen(&mut self) {
        if self.serving.is_none() {
            let socket = socket_on(self.address).expect("the port is ours");
            let listener = socket.listen(1024).expect("a bound socket listens");
            self.serving = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }

    /// Cuts every connection and refuses new ones; the port stays taken.
    pub(crate) async fn refuse(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            drop(serving.await);
        }
    }

    /// Its root, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what a path answers from now on.
    pub(crate) fn set(&self, path: &str, script: Script) {
        self.shared
            .scripts
            .lock()
            .expect("no poison")
            .insert(path.into(), script);
    }

    /// The requests for a path (or exact target), in order.
    pub(crate) fn hits(&self, path: &str) -> Vec<Arc<Hit>> {
        let mut hits = self.all();
        hits.retain(|hit| hit.request.target == path || hit.request.path() == path);
        hits
    }

    /// All requests, in order.
    pub(crate) fn all(&self) -> Vec<Arc<Hit>> {
        self.shared.hits.lock().expect("no poison").clone()
    }

    /// How often a path was asked for by a method.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.hits(path)
            .iter()
            .filter(|hit| hit.request.method == method)
            .count()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

fn socket_on(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    // Small, so that what was sent is near to what the other side has taken.
    socket.set_send_buffer_size(128 << 10)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = wire::read_request(&mut stream).await? {
        let script = shared.script(&request);
        let hit = Arc::new(Hit::new(request));
        shared.hits.lock().expect("no poison").push(Arc::clone(&hit));
        let after = wire::answer(&mut stream, &script, &hit).await;
        hit.end(false);
        if after? == After::Close {
            break;
        }
    }
    Ok(())
}
