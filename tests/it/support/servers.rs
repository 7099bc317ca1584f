//! Real servers of a test's own, to be killed and stopped. `scripts/stores` starts them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::parts::Servers;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/stores");

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Postgresql,
    Redis,
    S3,
}

impl Server {
    /// Its name in `scripts/stores`.
    fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
            Self::S3 => "minio",
        }
    }
}

/// Three servers in a folder of their own. They end with the value.
pub(crate) struct Own {
    folder: TempDir,
    servers: Servers,
}

impl Own {
    /// Starts all three.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let servers = start(folder.path());
        Self { folder, servers }
    }

    /// Where they are.
    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Kills one with all of its children, at once.
    pub(crate) fn kill(&self, server: Server) {
        self.signal(server, Signal::KILL);
    }

    /// Stops one with all of its children: connections stay, and nothing moves.
    pub(crate) fn freeze(&self, server: Server) {
        self.signal(server, Signal::STOP);
    }

    /// Lets a stopped one go on.
    pub(crate) fn thaw(&self, server: Server) {
        self.signal(server, Signal::CONT);
    }

    /// Starts those that were killed, on their old ports and data; all answer when it returns.
    pub(crate) fn revive(&self) {
        start(self.folder.path());
    }

    /// Makes Redis forget everything.
    pub(crate) fn flush(&self) {
        let (host, port) = (self.servers.redis.host_str(), self.servers.redis.port());
        let mut redis = TcpStream::connect((host.expect("a host"), port.expect("a port"))).expect("Redis");
        redis.write_all(b"FLUSHALL\r\n").expect("Redis listens");
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).expect("Redis answers");
        assert_eq!(&answer, b"+OK\r\n");
    }

    fn signal(&self, server: Server, signal: Signal) {
        let file = self.folder.path().join(format!("{}.pid", server.name()));
        let text = std::fs::read_to_string(file).expect("a running server");
        let first = text.split_whitespace().next().and_then(|text| text.parse().ok());
        let first: i32 = first.expect("a number");
        for pid in std::iter::once(first).chain(children(first)) {
            let pid = Pid::from_raw(pid).expect("a number of a process");
            // A child may have ended meanwhile.
            kill_process(pid, signal).ok();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        script("stop", self.folder.path());
    }
}

fn start(folder: &Path) -> Servers {
    let printed = script("start", folder);
    let lines = printed.lines().filter_map(|line| line.strip_prefix("export "));
    let variables: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
    Servers::named(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn script(command: &str, folder: &Path) -> String {
    let ran = Command::new(SCRIPT)
        .arg(command)
        .arg(folder)
        .stdin(Stdio::null())
        .output();
    let ran = ran.expect("scripts/stores can be run");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "scripts/stores {command}: {errors}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// The processes whose parent this one is.
fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|item| item.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        fields.split(' ').nth(1).and_then(|text| text.parse().ok()) == Some(parent)
    };
    numbers.filter(is_child).collect()
}
