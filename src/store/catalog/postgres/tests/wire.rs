//! A wire to a server that breaks when a word passes: before the server hears it, or before it is answered.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) struct Wire {
    pub(super) port: u16,
    /// How often the word has passed.
    pub(super) said: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// Where it breaks.
#[derive(Clone, Copy)]
pub(super) enum Break {
    BeforeTheServerHears,
    BeforeItIsAnswered,
}

/// What a connection needs to know.
#[derive(Clone)]
struct Plan {
    /// The server's port.
    port: u16,
    word: &'static [u8],
    place: Break,
    said: Arc<AtomicUsize>,
    /// At which saying it breaks.
    nth: usize,
}

impl Wire {
    /// A wire to the port that breaks when the word passes for the `nth` time.
    pub(super) async fn to(port: u16, word: &'static [u8], place: Break, nth: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let said = Arc::new(AtomicUsize::new(0));
        let plan = Plan {
            port,
            word,
            place,
            said: Arc::clone(&said),
            nth,
        };
        let task = spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                drop(spawn(plan.clone().carry(client)));
            }
        });
        Self {
            port: own,
            said,
            task,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no actors")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

impl Plan {
    async fn carry(self, mut client: TcpStream) {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            let read = tokio::select! {
                read = client.read(&mut up) => Ok(read.unwrap_or(0)),
                read = server.read(&mut down) => Err(read.unwrap_or(0)),
            };
            match read {
                Ok(0) | Err(0) => return,
                Err(read) => client.write_all(&down[..read]).await.unwrap_or_default(),
                Ok(read) => {
                    let breaks = self.breaks(&up[..read]);
                    if breaks && matches!(self.place, Break::BeforeTheServerHears) {
                        return;
                    }
                    server.write_all(&up[..read]).await.unwrap_or_default();
                    if breaks {
                        // It is done once the server says so; the client is not told.
                        server.read(&mut down).await.map(drop).unwrap_or_default();
                        return;
                    }
                }
            }
        }
    }

    fn breaks(&self, bytes: &[u8]) -> bool {
        let said = bytes.windows(self.word.len()).any(|window| window == self.word);
        said && self.said.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
    }
}
