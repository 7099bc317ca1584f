//! A server of the test's own, on a free port of the loopback address.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use artifactapi_core::config::Postgresql;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use url::Url;

use super::super::testing::settings;

/// More than any wait that is meant.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

pub(super) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes a cluster and starts it.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            succeeds(Command::new("chmod").arg("755").arg(folder.path()));
            succeeds(Command::new("chown").arg("postgres:").arg(&data));
        }
        let mut initdb = as_postgres("initdb");
        initdb.args([
            "--auth=trust",
            "-U",
            "ittest",
            "--encoding=UTF8",
            "--no-sync",
            "-D",
        ]);
        succeeds(initdb.arg(&data));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = Self {
            folder,
            port: free.local_addr().unwrap().port(),
            running: None,
        };
        drop(free);
        server.restart().await;
        server
    }

    pub(super) fn settings(&self) -> Postgresql {
        settings(&self.url(), "postgres")
    }

    fn url(&self) -> Url {
        Url::parse(&format!("postgres://ittest@127.0.0.1:{}/postgres", self.port)).unwrap()
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn restart(&mut self) {
        let started = as_postgres("postgres")
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running = Some(started.unwrap());
        let url = self.url();
        let answers = async {
            while sqlx::PgConnection::connect(url.as_str()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, answers).await.unwrap();
    }

    /// Ends it; every connection breaks.
    pub(super) fn shut_down(&mut self) {
        if let Some(mut child) = self.running.take() {
            signal(child.id(), Signal::INT);
            child.wait().unwrap();
        }
    }

    /// Lets it and every one of its connections live and do nothing. New connections are accepted by the kernel.
    pub(super) fn stop(&self) {
        self.all().into_iter().for_each(|id| signal(id, Signal::STOP));
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) {
        self.all().into_iter().for_each(|id| signal(id, Signal::CONT));
    }

    /// The server's process and its children.
    fn all(&self) -> Vec<u32> {
        let Some(child) = &self.running else {
            return Vec::new();
        };
        let id = child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        std::iter::once(id).chain(children).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go_on();
        self.shut_down();
    }
}

fn succeeds(command: &mut Command) {
    let done = command.current_dir("/").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A child may have ended by itself; then nothing is to be done.
fn signal(id: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    kill_process(id, signal).unwrap_or_default();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program of the server, as a user that may run it.
fn as_postgres(program: &str) -> Command {
    let program = bin().join(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg(program).current_dir("/");
    command
}

/// Where the newest server's programs are.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("PostgreSQL is missing: scripts/setup tests");
    let newest = versions.map(|version| version.unwrap().path()).max();
    newest.unwrap().join("bin")
}
