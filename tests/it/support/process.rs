//! The program as a process: started, stopped, run to its end, and what it leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::app::TOKEN;
use super::store::files_under;

const PROGRAM: &str = env!("CARGO_BIN_EXE_artifactapi");

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code.
    pub(crate) code: Option<i32>,
    /// Standard output and error.
    pub(crate) output: String,
}

/// Runs the program with arguments, to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    run_with(&BTreeMap::new(), arguments)
}

/// Runs the program with arguments in an environment, to its end.
pub(crate) fn run_with(env: &BTreeMap<String, String>, arguments: &[&str]) -> Ran {
    let output = command()
        .args(arguments)
        .envs(env)
        .output()
        .expect("the program can be run");
    let text = [output.stdout, output.stderr].concat();
    Ran {
        code: output.status.code(),
        output: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// Runs `fsck` on a folder, and on the servers that the environment names.
pub(super) fn fsck(data: &Path, env: &BTreeMap<String, String>, arguments: &[&str]) -> Ran {
    let folder = data.to_str().expect("a plain path");
    run_with(env, &[&["fsck", "--data-dir", folder], arguments].concat())
}

/// The program with nothing of this machine's environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

/// Starts the program on a folder.
pub(super) fn spawn(data: &Path, env: &BTreeMap<String, String>) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log_file(data));
    let log = log.expect("a log file");
    let mut command = command();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    command
        .env("ARTIFACTAPI_ADMIN_TOKEN", TOKEN)
        .env("ARTIFACTAPI_SERVER_DRAIN_SECONDS", "0")
        .envs(env);
    command.stdout(Stdio::null()).stderr(log);
    command.spawn().expect("the program can be started")
}

/// Where its standard error goes: beside the folder.
pub(super) fn log_file(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// SIGTERM, then up to a minute of patience, then SIGKILL.
pub(super) fn terminate(child: &mut Child) -> Option<i32> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let signal = rustix::process::Signal::TERM;
    rustix::process::kill_process(pid.expect("a pid"), signal).ok();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(child.kill());
    drop(child.wait());
    None
}

/// Files of a stopped program that should not be there any more.
pub(crate) fn leftovers(data: &Path) -> Vec<PathBuf> {
    let mut found = files_under(data);
    found.retain(|path| is_temporary(path.strip_prefix(data).unwrap_or(path)));
    found
}

fn is_temporary(path: &Path) -> bool {
    let names = ["tmp", "temp", "spool", "spools", "staging"];
    let in_folder = path
        .components()
        .any(|part| names.iter().any(|name| part.as_os_str() == *name));
    let ends = ["tmp", "part", "partial"];
    in_folder
        || path
            .extension()
            .is_some_and(|end| ends.iter().any(|name| end == *name))
}
