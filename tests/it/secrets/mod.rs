//! Secrets at rest: nothing that is stored tells them, other keys are refused, and keys change while requests run.

mod rotation;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::app::{App, TOKEN};
use crate::support::script::Script;
use crate::support::setup::Setup;
use crate::support::store::{Store, files_under};
use crate::support::upstream::Upstream;

/// What every secret of these tests begins with.
const CANARY: &str = "canary-7f3a";

/// A file with keys, beside no data folder.
struct Keys(TempDir);

impl Keys {
    fn new(numbers: &[u8]) -> Self {
        let keys = Self(TempDir::new().unwrap());
        keys.write(numbers);
        keys
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    /// Replaces the file, as whoever writes it should: at once.
    fn write(&self, numbers: &[u8]) {
        let lines = numbers
            .iter()
            .map(|number| format!("{}\n", STANDARD.encode([*number; 32])));
        let draft = self.0.path().join("draft");
        std::fs::write(&draft, format!("# keys\n{}", lines.collect::<String>())).unwrap();
        std::fs::rename(draft, self.path()).unwrap();
    }

    fn env(&self) -> [(&'static str, String); 2] {
        // A shared catalog comes with a key in the environment: this one has a file instead.
        [
            ("ARTIFACTAPI_SECRET_KEY", String::new()),
            (
                "ARTIFACTAPI_SECRET_KEY_FILE",
                self.path().to_str().unwrap().to_owned(),
            ),
        ]
    }

    fn setup(&self) -> Setup {
        let set = |setup: Setup, (name, value): (&str, String)| setup.env(name, &value);
        self.env().into_iter().fold(App::setup(), set)
    }

    async fn start(&self) -> App {
        self.setup().start().await
    }
}

/// Runs a command on a program's folder and stores with these keys; exit code and what was printed.
fn ran(app: &App, keys: &Keys, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_artifactapi"));
    command
        .args(arguments)
        .arg("--data-dir")
        .arg(app.data())
        .env_clear();
    command
        .envs(app.shared().env())
        .envs(keys.env())
        .stdin(Stdio::null());
    let output = command.env("ARTIFACTAPI_TOKEN", TOKEN).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Everything that a program keeps and says, key files aside.
async fn kept(app: &App) -> Vec<u8> {
    let mut kept = app.log().into_bytes();
    for file in files_under(app.data()) {
        if !file.ends_with("secret-key") {
            // A spool may end while the program runs.
            kept.extend(std::fs::read(file).unwrap_or_default());
        }
    }
    if app.shared().parts().postgresql {
        let mut database = app.shared().database().await;
        let rows = "SELECT role FROM repositories UNION ALL SELECT value FROM settings";
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut database).await.unwrap();
        kept.extend(rows.concat().into_bytes());
    }
    kept
}

fn holds(kept: &[u8], text: &str) -> bool {
    kept.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The credentials that a remote's requests must bear.
fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn what_is_stored_and_logged_tells_no_secret() {
    let upstream = Upstream::start();
    upstream.set("/a", Script::new("a"));
    let mut app = App::setup().env("ARTIFACTAPI_LOG_LEVEL", "trace").start().await;
    let mirror =
        json!({"url": "http://127.0.0.1:9/", "username": "m", "password": format!("{CANARY}-mirror")});
    let password = json!({"username": "u", "password": format!("{CANARY}-password"), "mirrors": [mirror]});
    app.create_remote("basic", "generic", &upstream.url(), password)
        .await;
    app.create_remote(
        "bearer",
        "generic",
        &upstream.url(),
        json!({"token": format!("{CANARY}-token")}),
    )
    .await;
    let changed = json!({"token": format!("{CANARY}-token2")});
    app.admin(Method::PATCH, "/api/v2/remotes/bearer", changed)
        .await
        .expect(200);
    for remote in ["basic", "bearer"] {
        app.read(remote, "a").await.expect_bytes(b"a");
    }
    let asked: Vec<_> = upstream
        .hits("/a")
        .iter()
        .map(|hit| hit.request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            basic("u", &format!("{CANARY}-password")),
            format!("Bearer {CANARY}-token2")
        ]
    );
    let running = kept(&app).await;
    assert!(holds(&running, "sealed:1:"), "what rests is looked at");
    assert!(!holds(&running, CANARY));
    assert_eq!(app.stop(), Some(0));
    assert!(!holds(&kept(&app).await, CANARY));
    app.restart().await;
    app.evict("basic", "all=true").await;
    app.read("basic", "a").await.expect_bytes(b"a");
    let again = upstream.hits("/a").pop().unwrap();
    assert_eq!(again.request.header("authorization"), Some(&*asked[0]));
}

#[tokio::test]
async fn other_keys_are_refused_before_anything_is_served() {
    let keys = Keys::new(&[1]);
    let mut app = keys.start().await;
    let settings = json!({"username": "u", "password": CANARY});
    app.create_remote("g", "generic", "http://up.example/", settings)
        .await;
    assert_eq!(app.stop(), Some(0));
    let other = Keys::new(&[2]);
    let (code, said) = ran(&app, &other, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("none of the keys") && said.contains(other.path().to_str().unwrap()),
        "{said}"
    );
    assert!(!said.contains("listening"), "{said}");
    // The right key as a second one is enough.
    keys.write(&[3, 1]);
    app.restart().await;
    assert_eq!(app.get("/api/v2/health/live").await.status, 200);
}

#[tokio::test]
async fn a_remote_that_no_key_opens_is_left_out_until_it_gets_its_secret_anew() {
    let upstream = Upstream::start();
    upstream.set("/a", Script::new("a"));
    let mut app = App::start().await;
    for remote in ["lost", "other"] {
        let settings = json!({"username": "u", "password": CANARY});
        app.create_remote(remote, "generic", &upstream.url(), settings)
            .await;
    }
    assert_eq!(app.stop(), Some(0));
    let mut store = Store::open(&app).await;
    let strange =
        "UPDATE repositories SET role = replace(role, 'sealed:1:', 'sealed:1:0a1b2c3d') WHERE name = $1";
    store.execute(strange, &["lost"]).await;
    store.close().await;
    app.restart().await;
    app.read("lost", "a").await.expect(404);
    app.read("other", "a").await.expect_bytes(b"a");
    assert!(
        app.log().contains("no key of this server opens its password"),
        "{}",
        app.log()
    );
    let listed = app
        .admin(Method::GET, "/api/v2/remotes/lost", Value::Null)
        .await
        .expect(200)
        .json();
    assert!(!listed.to_string().contains("sealed:"), "{listed}");
    let rotated = app
        .admin(Method::POST, "/api/v2/secrets/rotate", Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!((&rotated["already"], &rotated["failed"]), (&json!(1), &json!(1)));
    let other = json!({"description": "as it was"});
    app.admin(Method::PATCH, "/api/v2/remotes/lost", other)
        .await
        .expect(422);
    let anew = json!({"password": CANARY});
    app.admin(Method::PATCH, "/api/v2/remotes/lost", anew)
        .await
        .expect(200);
    app.read("lost", "a").await.expect_bytes(b"a");
    for hit in upstream.hits("/a") {
        assert_eq!(hit.request.header("authorization"), Some(&*basic("u", CANARY)));
    }
}
