//! A TCP proxy for one link, which delays, cuts or swallows what goes through it as it is told, and counts the bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They go through.
    Pass,
    /// They go through later, each way.
    Delay(Duration),
    /// They go through where a connection is open; new connections are closed at once.
    DropNew,
    /// They go nowhere, and nobody is told; connections stay.
    BlackHole,
}

struct Link {
    target: SocketAddr,
    mode: watch::Sender<Mode>,
    /// How often all connections were cut.
    cuts: watch::Sender<u64>,
    /// Bytes from the target.
    down: AtomicU64,
    /// Connections, and those that are open.
    opened: AtomicU64,
    open: AtomicU64,
}

/// A proxy for one link. It ends with its value.
pub(crate) struct Chaos {
    address: SocketAddr,
    link: Arc<Link>,
    accepting: JoinHandle<()>,
}

impl Chaos {
    /// One on a free loopback port, that lets everything through to `host:port`.
    pub(crate) async fn before(target: &reqwest::Url) -> Self {
        let host = target.host_str().expect("a host");
        let target = SocketAddr::new(host.parse().expect("an address"), target.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let link = Arc::new(Link {
            target,
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            down: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        Self {
            address: listener.local_addr().expect("an address"),
            accepting: tokio::spawn(accept(listener, Arc::clone(&link))),
            link,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.link.mode.send_replace(mode);
    }

    /// Cuts every open connection.
    pub(crate) fn cut(&self) {
        self.link.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Bytes that came from the target.
    pub(crate) fn down(&self) -> u64 {
        self.link.down.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub(crate) fn opened(&self) -> u64 {
        self.link.opened.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.link.open.load(Ordering::SeqCst)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        link.opened.fetch_add(1, Ordering::SeqCst);
        if *link.mode.borrow() == Mode::DropNew {
            continue;
        }
        connections.spawn(carry(client, Arc::clone(&link)));
    }
}

/// One connection, until either side ends it or it is cut.
async fn carry(client: TcpStream, link: Arc<Link>) {
    let mut cuts = link.cuts.subscribe();
    link.open.fetch_add(1, Ordering::SeqCst);
    let mut mode = link.mode.subscribe();
    let both = async {
        let through = mode.wait_for(|mode| *mode != Mode::BlackHole).await;
        drop(through.map_err(io::Error::other)?);
        let server = TcpStream::connect(link.target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        // A cut is a reset, as from a machine that knows nothing of the connection.
        client.set_zero_linger()?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let nothing = AtomicU64::new(0);
        tokio::try_join!(
            pump(from_client, to_server, &link, &nothing),
            pump(from_server, to_client, &link, &link.down),
        )
        .map(drop)
    };
    tokio::select! {
        _ = both => {}
        _ = cuts.changed() => {}
    }
    link.open.fetch_sub(1, Ordering::SeqCst);
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    link: &Link,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut mode = link.mode.subscribe();
    let mut piece = vec![0; 64 << 10];
    loop {
        let got = from.read(&mut piece).await?;
        let now = *mode
            .wait_for(|mode| *mode != Mode::BlackHole)
            .await
            .map_err(io::Error::other)?;
        if let Mode::Delay(time) = now {
            tokio::time::sleep(time).await;
        }
        if got == 0 {
            // The other direction may still have something to say.
            return to.shutdown().await;
        }
        count.fetch_add(got as u64, Ordering::SeqCst);
        to.write_all(&piece[..got]).await?;
    }
}
