//! The commands beside `serve`, as an operator at a terminal sees them: what they print, how they end.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::app::{App, TOKEN};
use crate::support::upstream::Upstream;

/// Stand-ins for pip's interpreter and for uv.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/adopt/fixtures");

/// The program with an environment of its own.
fn program(arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_artifactapi"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{CLIENTS}:/usr/bin:/bin"));
    command.envs(env.iter().copied()).stdin(Stdio::null());
    command
}

/// Exit code and everything that was printed.
fn ran(arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = program(arguments, env).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn settings_are_printed_with_their_origin_and_without_secrets() {
    let env = [
        ("ARTIFACTAPI_ADMIN_TOKEN", "hunter2-hunter2"),
        ("LISTEN_ADDR", "127.0.0.1:1"),
    ];
    let (code, printed) = ran(&["check-config", "--set", "gc.grace=5"], &env);
    assert_eq!(code, Some(0), "{printed}");
    let line = |key: &str| {
        printed
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(line("gc.grace = 5").ends_with("# flag"));
    assert!(line("server.listen = \"127.0.0.1:1\"").ends_with("# environment LISTEN_ADDR"));
    assert!(line("gc.interval").ends_with("# default"));
    assert!(line("access.admin_token = \"***\"").contains("ARTIFACTAPI_ADMIN_TOKEN"));
    assert!(!printed.contains("hunter2"));
}

#[test]
fn settings_that_cannot_be_end_every_command_with_2_and_are_all_named() {
    for command in ["check-config", "serve", "migrate", "fsck"] {
        let (code, printed) = ran(
            &[command, "--set", "gc.grace=soon"],
            &[("ARTIFACTAPI_NONSENSE", "1")],
        );
        assert_eq!(code, Some(2), "{command}: {printed}");
        assert!(
            printed.contains("gc.grace") && printed.contains("ARTIFACTAPI_NONSENSE"),
            "{printed}"
        );
    }
}

#[test]
fn types_and_completions_are_for_programs() {
    let types: Value = serde_json::from_str(&ran(&["types", "--json"], &[]).1).unwrap();
    let names: Vec<&str> = types
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"generic") && names.contains(&"pypi"));
    for shell in ["bash", "zsh", "fish"] {
        let (code, script) = ran(&["completions", shell], &[]);
        assert!(code == Some(0) && script.contains("check-config"), "{shell}");
    }
}

#[tokio::test]
async fn a_folder_that_a_server_has_is_refused_to_the_others() {
    let app = App::start().await;
    for command in ["serve", "migrate"] {
        let (code, printed) = ran(
            &[command, "--data-dir", text(app.data())],
            &[("LISTEN_ADDR", "127.0.0.1:0")],
        );
        assert_eq!(code, Some(1), "{command}: {printed}");
        assert!(printed.contains("in use"), "{printed}");
    }
}

#[test]
fn a_migrated_folder_is_clean() {
    let folder = TempDir::new().unwrap();
    for command in ["migrate", "migrate", "fsck"] {
        let (code, printed) = ran(&[command, "--data-dir", text(folder.path())], &[]);
        assert_eq!(code, Some(0), "{command}: {printed}");
    }
}

#[tokio::test]
async fn health_and_collection_are_asked_of_the_server_that_has_the_folder() {
    let app = App::start().await;
    let folder = text(app.data());
    let (code, health) = ran(&["health", "--data-dir", folder], &[]);
    assert!(
        code == Some(0) && health.starts_with("ok") && health.contains("access-log"),
        "{health}"
    );
    let (code, refused) = ran(&["gc", "--data-dir", folder], &[]);
    assert!(code == Some(1) && refused.contains("401"), "{refused}");
    let (code, report) = ran(
        &["gc", "--dry-run", "--data-dir", folder],
        &[("ARTIFACTAPI_TOKEN", TOKEN)],
    );
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["dry_run"], true);
    let url = format!("http://{}", app.address());
    drop(app);
    assert_eq!(ran(&["health", "--endpoint", &url], &[]).0, Some(1));
}

/// A server on a folder, once it says where it listens.
fn listening(folder: &Path, drain: &str) -> Child {
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(folder),
        "--set",
        drain,
    ];
    let mut command = program(&arguments, &[]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    child
}

/// Sends a signal and waits until the log says that it was taken.
fn signal(child: &mut Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
    let mut log = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("stopping")));
}

#[test]
fn one_signal_ends_a_server_gracefully_and_two_at_once() {
    let folder = TempDir::new().unwrap();
    for first in [Signal::TERM, Signal::INT] {
        let mut child = listening(folder.path(), "server.drain_seconds=0");
        signal(&mut child, first);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let mut child = listening(folder.path(), "server.drain_seconds=3600");
    signal(&mut child, Signal::TERM);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn the_first_start_leaves_a_token_for_its_owner_and_prints_it_to_no_log() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(folder.path()),
    ];
    let mut command = program(&arguments, &[("ARTIFACTAPI_SERVER_DRAIN_SECONDS", "0")]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let printed = [lines.next().unwrap(), lines.next().unwrap()].concat();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let log = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let token = std::fs::read_to_string(folder.path().join("admin-token")).unwrap();
    assert!(token.len() > 20 && printed.contains("admin-token"), "{printed}");
    assert!(![printed, log].concat().contains(token.trim()));
}

#[tokio::test]
async fn adopting_routes_the_clients_and_undoing_restores_every_byte() {
    let upstream = Upstream::start();
    let app = App::start().await;
    let home = TempDir::new().unwrap();
    let (conf, uv) = (
        home.path().join("pip.conf"),
        home.path().join(".config/uv/uv.toml"),
    );
    let index = upstream.url().replace("http://", "http://me:s3cret@");
    let before = format!("# mine\n[global]\nindex-url = {index}/simple\n; kept\ntimeout = 9\n");
    std::fs::write(&conf, &before).unwrap();
    let env = [
        ("HOME", text(home.path())),
        ("XDG_CONFIG_DIRS", text(home.path())),
        ("PIP_CONFIG_FILE", text(&conf)),
        ("ARTIFACTAPI_TOKEN", TOKEN),
    ];
    let adopt = |more: &[&str]| {
        let (code, printed) = ran(&[&["adopt", "--data-dir", text(app.data())], more].concat(), &env);
        assert_eq!(code, Some(0), "{printed}");
        assert!(!printed.contains("s3cret"), "{printed}");
        printed
    };
    assert!(adopt(&[]).contains("pip config set"));
    assert_eq!(
        std::fs::read_to_string(&conf).unwrap(),
        before,
        "nothing was changed yet"
    );
    let remote = app
        .admin(Method::GET, "/api/v2/remotes/pypi", Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&remote["username"], &remote["password_set"]),
        (&"me".into(), &true.into())
    );
    assert_eq!(remote["base_url"], format!("{}/simple", upstream.url()));

    adopt(&["--apply"]);
    let routed = format!("http://{}/api/v1/remote/pypi/simple/", app.address());
    assert!(
        std::fs::read_to_string(&conf)
            .unwrap()
            .contains(&format!("index-url = {routed}\n"))
    );
    assert!(std::fs::read_to_string(&uv).unwrap().contains("default = true"));
    assert!(adopt(&[]).contains("routed through a cache already"));

    adopt(&["--undo"]);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    assert!(!uv.exists());
}

#[tokio::test]
async fn adopting_under_a_name_that_means_something_else_is_refused() {
    let upstream = Upstream::start();
    let app = App::start().await;
    app.create_remote("pypi", "generic", &upstream.url(), Value::Null)
        .await;
    let env = [("ARTIFACTAPI_TOKEN", TOKEN), ("HOME", text(app.data()))];
    let (code, printed) = ran(&["adopt", "--data-dir", text(app.data())], &env);
    assert!(code == Some(1) && printed.contains("--name"), "{printed}");
}
