//! A server of the test's own, on a free port of the loopback address.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

pub(super) struct Server {
    port: u16,
    folder: tempfile::TempDir,
    running: Option<Child>,
}

impl Server {
    /// Starts it and waits until it answers.
    pub(super) async fn start() -> Self {
        let mut server = Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            running: None,
        };
        server.restart().await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again, with nothing of what it held.
    pub(super) async fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let started = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .arg("--enable-debug-command")
            .arg("yes")
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn();
        self.running = Some(started.expect("redis-server is missing: scripts/setup tests"));
        let answers = async {
            while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
                .await
                .is_err()
            {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(super::LIMIT, answers).await.unwrap();
    }

    /// Ends it without a word.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it live and do nothing.
    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port below those that outgoing connections take: nothing else comes by it while the server is down.
pub(super) fn free_port() -> u16 {
    let any = || u16::try_from(uuid::Uuid::now_v7().as_u128() % 12_000).unwrap();
    let mut tries = (0..1_000).map(|_| 20_000 + any());
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    tries.find(free).unwrap()
}
