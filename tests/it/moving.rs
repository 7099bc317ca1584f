//! An installation that moves: from a folder to the three servers, and back into another folder, interrupted on both ways.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::bytes::bytes_of;
use crate::support::parts::Parts;
use crate::support::process::{Ran, command, run_with};

/// Objects of the installation; a trial takes more.
fn objects() -> u64 {
    let asked = std::env::var("IT_MOVED").ok();
    asked.map_or(700, |text| text.parse().expect("a number"))
}

/// Everything that a local lists, page by page; but not how often it was read, for reading is how it is compared.
async fn listing(app: &App, local: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/api/v2/locals/{local}/objects?limit=1000{after}");
        let page = app.admin(reqwest::Method::GET, &path, Value::Null).await;
        let page = page.expect(200).json();
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    for object in &mut all {
        let fields = object.as_object_mut().expect("an object");
        fields.retain(|name, _| name != "hits" && name != "last_access");
    }
    all
}

/// Runs a move that is killed as soon as it says that it has carried something.
fn interrupted(env: &BTreeMap<String, String>, arguments: &[&str]) {
    let mut child = command()
        .args(arguments)
        .envs(env)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let first = lines.next().expect("it says how far it is").expect("text");
    assert!(first.contains("objects carried"), "{first}");
    child.kill().expect("our own child");
    assert!(!child.wait().expect("it ends").success(), "killed in time");
}

fn finished(env: &BTreeMap<String, String>, arguments: &[&str]) -> Ran {
    let ran = run_with(env, arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    ran
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A program on a folder that holds a local with many objects and a remote with a secret, stopped.
async fn settled() -> (App, Vec<Value>) {
    let mut home = App::setup().on(Parts::EMBEDDED).start().await;
    home.create_local("own", "generic", json!({})).await;
    let secret = json!({"token": "moved-s3cret"});
    home.create_remote("files", "generic", "http://files.example/", secret)
        .await;
    stream::iter(0..objects())
        .map(|n| put(&home, n))
        .buffer_unordered(16)
        .collect::<()>()
        .await;
    let listed = listing(&home, "own").await;
    assert_eq!(listed.len() as u64, objects());
    home.stop();
    (home, listed)
}

async fn put(app: &App, n: u64) {
    let path = format!("d{}/{n}", n % 7);
    app.put("own", &path, body(n)).await.expect(201);
}

fn body(n: u64) -> bytes::Bytes {
    bytes_of(n % 1_000, 10 + (n % 700) as usize * 9)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_the_servers_and_back_whatever_interrupts_it() {
    let (home, before) = settled().await;

    let mut away = App::setup().on(Parts::ALL).start().await;
    away.stop();
    let env = away.shared().env();
    let place = ["--data-dir", text(away.data())];
    let import = [&["migrate", "--import-from", text(home.data())], &place[..]].concat();
    interrupted(&env, &import);
    let serve = [&["serve", "--listen", "127.0.0.1:0"], &place[..]].concat();
    let refused = run_with(&env, &serve);
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    assert!(refused.output.contains("not finished"), "{}", refused.output);
    finished(&env, &import);
    away.restart().await;
    assert_eq!(listing(&away, "own").await, before);
    assert_eq!(away.read("own", "d1/8").await.body, body(8));
    away.stop();

    let mut back = App::setup().on(Parts::EMBEDDED).start().await;
    back.stop();
    let place = ["--data-dir", text(away.data())];
    let export = [&["migrate", "--export-to", text(back.data())], &place[..]].concat();
    interrupted(&env, &export);
    finished(&env, &export);
    let again = run_with(&env, &export);
    assert_eq!(again.code, Some(1), "{}", again.output);
    assert!(
        again.output.contains("holds repositories already"),
        "{}",
        again.output
    );
    back.restart().await;
    assert_eq!(listing(&back, "own").await, before);
    let rotate = "/api/v2/secrets/rotate";
    let secrets = back.admin(reqwest::Method::POST, rotate, Value::Null).await;
    let secrets = secrets.expect(200).json();
    let opened = (&secrets["already"], &secrets["failed"]);
    assert_eq!(opened, (&json!(1), &json!(0)), "{secrets}");
}
