//! A scripted upstream on loopback: raw bytes, cuts, resets and silence, and a log of what it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What to do with a connection after a request has arrived.
#[derive(Clone)]
pub(super) enum Act {
    /// Write bytes.
    Send(Vec<u8>),
    /// Say nothing more, and keep the connection until the peer leaves.
    Hang,
    /// Wait.
    Pause(Duration),
    /// Wait for a sign from the test.
    Await(Arc<Notify>),
    /// Close with a reset.
    Reset,
    /// Read the next request of this connection.
    Keep,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its number over all connections, from 0.
    pub(super) number: usize,
    /// Request line and fields, as sent.
    pub(super) head: String,
}

impl Asked {
    /// Method and path.
    pub(super) fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.trim_end_matches(" HTTP/1.1")
    }

    /// A field's value.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A running server; it stops when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Serves by `script`. A script that does not end with [`Act::Keep`] or [`Act::Reset`] ends with an orderly close.
    pub(super) async fn start(script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    /// Serves at an address.
    pub(super) async fn start_at(
        at: &str,
        script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&log);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (log, script) = (Arc::clone(&shared), Arc::clone(&script));
                open.spawn(async move { converse(socket, &log, &*script).await });
            }
        });
        Self {
            address,
            log,
            connections,
            _tasks: tasks,
        }
    }

    /// A URL of this server.
    pub(super) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Everything it was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Connections it has accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The lines of everything it was asked so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.line().to_owned()).collect()
    }
}

async fn converse(
    mut socket: TcpStream,
    log: &Mutex<Vec<Asked>>,
    script: &(dyn Fn(&Asked) -> Vec<Act> + Sync),
) {
    while let Some(head) = read_head(&mut socket).await {
        let asked = {
            let mut log = log.lock().unwrap();
            let asked = Asked {
                number: log.len(),
                head,
            };
            log.push(asked.clone());
            asked
        };
        let mut keep = false;
        for act in script(&asked) {
            match act {
                Act::Send(bytes) => {
                    if socket.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Hang => {
                    let mut rest = Vec::new();
                    socket.read_to_end(&mut rest).await.ok();
                }
                Act::Pause(time) => tokio::time::sleep(time).await,
                Act::Await(sign) => sign.notified().await,
                Act::Reset => {
                    socket.set_zero_linger().unwrap();
                    return;
                }
                Act::Keep => keep = true,
            }
        }
        if !keep {
            break;
        }
    }
    socket.shutdown().await.ok();
}

async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A whole response with a length, after which the connection goes on.
pub(super) fn whole(status: u16, fields: &[&str], body: &[u8]) -> Vec<Act> {
    vec![Act::Send(response(status, fields, body)), Act::Keep]
}

/// The bytes of a response with a length.
pub(super) fn response(status: u16, fields: &[&str], body: &[u8]) -> Vec<u8> {
    announced(status, fields, body.len(), body)
}

/// The bytes of a response that announces `length`, whatever `body` has.
pub(super) fn announced(status: u16, fields: &[&str], length: usize, body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {length}");
    let fields: Vec<&str> = fields.iter().copied().chain([length.as_str()]).collect();
    unframed(status, &fields, body)
}

/// The bytes of a response without any framing but what `fields` say.
pub(super) fn unframed(status: u16, fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} Whatever\r\n").into_bytes();
    for field in fields {
        bytes.extend_from_slice(field.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One chunk of a chunked body.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
