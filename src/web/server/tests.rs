//! The server on real sockets of the loopback interface.

mod again;
mod conduct;
mod direct;
mod stream;
mod tls;

use std::time::Duration;

use artifactapi_core::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Running;
use crate::admin::harness::Bench;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Short deadlines on a free port.
fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.server.workers = 1;
    config.server.drain_seconds = 0;
    config.server.stop_seconds = 5;
    config.deadlines.request_head_seconds = 1;
    config.deadlines.keep_alive_seconds = 2;
    config.deadlines.body_idle_seconds = 1;
    config.deadlines.min_rate_seconds = 2;
    config
}

async fn running(bench: &Bench) -> Running {
    crate::serve(bench.parts(), &config()).await.unwrap()
}

/// A connection that speaks raw bytes.
struct Wire(TcpStream);

impl Wire {
    async fn open(server: &Running) -> Self {
        Self(TcpStream::connect(server.addresses()[0]).await.unwrap())
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the text has come.
    async fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        let mut buffer = [0; 4096];
        while !read.contains(text) {
            let count = timeout(PATIENCE, self.0.read(&mut buffer))
                .await
                .expect(&read)
                .unwrap();
            assert!(count > 0, "the connection ended before {text:?}: {read}");
            read.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        read
    }

    /// Reads to the end of the connection, orderly or not.
    async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut read))
            .await
            .expect("the connection ends")
            .ok();
        String::from_utf8_lossy(&read).into_owned()
    }
}
