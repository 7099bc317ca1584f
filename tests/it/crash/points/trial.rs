//! One death, and one life undisturbed to learn from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::admin;
use super::scenario::Scenario;
use super::state;
use crate::support::app::App;
use crate::support::client::Reply;
use crate::support::process::Ran;
use crate::support::setup::Setup;
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, eventually};

/// SIGKILL.
const KILLED: i32 = 9;
const TOKEN_VARIABLE: &str = "ARTIFACTAPI_ADMIN_TOKEN";

/// What an undisturbed operation taught.
pub(super) struct Lesson {
    pub(super) scenario: Scenario,
    /// The points it passes, in order, each once.
    pub(super) points: Vec<String>,
    before: String,
    after: String,
}

/// One death.
pub(super) struct Death {
    pub(super) scenario: Scenario,
    pub(super) point: String,
    /// Whether the operation had been acknowledged before.
    pub(super) acknowledged: bool,
}

/// Files that tests and program tell each other by.
struct Notes(TempDir);

impl Notes {
    fn make() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn file(&self, name: &str) -> String {
        let file: PathBuf = self.0.path().join(name);
        file.to_str().expect("a plain path").into()
    }

    /// Every passing so far.
    fn passed(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets passings count from now on.
    fn arm(&self) {
        std::fs::write(self.file("from"), b"").expect("a file");
    }
}

/// A program that works when it is told to, and in which garbage is garbage at once.
fn setup(scenario: Scenario) -> Setup {
    let setup = App::setup()
        .env("ARTIFACTAPI_GC_INTERVAL", "0")
        .env("ARTIFACTAPI_GC_ORPHAN_GRACE", "0");
    if scenario == Scenario::Start {
        // A token is made at the first start, where none is given.
        return setup.env(TOKEN_VARIABLE, "");
    }
    setup
}

/// Carries out an operation undisturbed.
pub(super) async fn learn(scenario: Scenario) -> Lesson {
    let (notes, upstream) = (Notes::make(), Upstream::start());
    let setup = setup(scenario).env("FAILPOINT_LOG", &notes.file("log"));
    let mut app = setup.start().await;
    let mut begun = 0;
    if scenario == Scenario::Start {
        given_token(&mut app).await;
    } else {
        scenario.prepare(&app, &upstream).await;
        quiet(&app).await;
        begun = notes.passed().len();
    }
    let before = state::of(&app, &upstream).await;
    assert!(scenario.act(&app).await, "{}: undisturbed", scenario.name());
    let after = settled(&app, &upstream, &notes).await;
    let mut points = Vec::new();
    for point in notes.passed().split_off(begun) {
        if !points.contains(&point) {
            points.push(point);
        }
    }
    clean(&app).await;
    Lesson {
        scenario,
        points,
        before,
        after,
    }
}

/// Carries it out on fresh stores, in a program that dies at a point; and then again.
pub(super) async fn dies(lesson: Arc<Lesson>, point: String) -> Death {
    let (scenario, notes, upstream) = (lesson.scenario, Notes::make(), Upstream::start());
    let setup = setup(scenario).env("FAILPOINT", &point);
    let mut acknowledged = false;
    let mut app = if scenario == Scenario::Start {
        setup.begin().await
    } else {
        let app = setup.env("FAILPOINT_FROM", &notes.file("from")).start().await;
        scenario.prepare(&app, &upstream).await;
        quiet(&app).await;
        notes.arm();
        acknowledged = scenario.act(&app).await;
        app
    };
    assert_eq!(app.killed().await, Some(KILLED), "{}", app.log());
    let found = checked(&app, &["--rehash"]);
    assert!(
        scenario.is_damage() || found.code == Some(0),
        "after the death: {}",
        found.output
    );
    app.set_env("FAILPOINT", None);
    app.restart().await;
    if scenario == Scenario::Start {
        given_token(&mut app).await;
    } else {
        assert!(Scenario::keeps(&app).await, "what was acknowledged before");
    }
    let restarted = state::of(&app, &upstream).await;
    if acknowledged && scenario.is_binding() {
        assert_eq!(restarted, lesson.after, "what was acknowledged");
    } else if !scenario.is_damage() {
        let expected = [&lesson.before, &lesson.after];
        assert!(
            expected.contains(&&restarted),
            "neither {expected:#?} nor wholly done: {restarted}"
        );
    }
    retried(&app, &upstream, &lesson).await;
    clean(&app).await;
    Death {
        scenario,
        point,
        acknowledged,
    }
}

/// The client tries again, and the same comes of it.
async fn retried(app: &App, upstream: &Upstream, lesson: &Lesson) {
    assert!(lesson.scenario.act(app).await, "the retry");
    let end = Instant::now() + PATIENCE;
    let mut again = Instant::now() + PATIENCE / 10;
    loop {
        let state = state::of(app, upstream).await;
        if state == lesson.after {
            return;
        }
        let instead = &lesson.after;
        assert!(
            Instant::now() < end,
            "after the retry\n{state}\ninstead of\n{instead}"
        );
        if Instant::now() > again {
            // A busy server may have kept the answer from being stored.
            again = Instant::now() + PATIENCE / 10;
            assert!(lesson.scenario.act(app).await, "a further retry");
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The token that the program has made is the one in its file; from then on it has the usual one.
async fn given_token(app: &mut App) {
    let token = std::fs::read_to_string(app.data().join("admin-token")).expect("a token was made");
    let request = app
        .request(Method::GET, "/api/v2/remotes")
        .bearer_auth(token.trim());
    Reply::of(request).await.expect(200);
    assert_eq!(app.stop(), Some(0));
    app.set_env(TOKEN_VARIABLE, None);
    app.set_env("FAILPOINT_LOG", None);
    app.restart().await;
}

/// Waits until nothing that was asked before is going on behind the replies.
async fn quiet(app: &App) {
    // A collection has the access log written first.
    let dry = json!({"grace_seconds": 0, "dry_run": true});
    admin(app, Method::POST, "gc", &dry).await.expect(200);
}

/// The state once nothing changes any more.
async fn settled(app: &App, upstream: &Upstream, notes: &Notes) -> String {
    let look = || async { (state::of(app, upstream).await, notes.passed().len()) };
    let still = || async {
        let before = look().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        (look().await == before).then_some(before.0)
    };
    eventually("nothing changes any more", still).await
}

/// What `fsck` says; it is asked again where a busy server kept it from running.
fn checked(app: &App, arguments: &[&str]) -> Ran {
    let tries = (0..5).map(|_| app.fsck(arguments));
    let ran = tries.into_iter().find(|ran| ran.code != Some(2));
    ran.expect("fsck runs at one of five tries")
}

/// Collects until nothing is left that no row names, and nothing was damaged.
async fn clean(app: &App) {
    eventually("a store without waste", || async {
        let collected = admin(app, Method::POST, "gc", &json!({"grace_seconds": 0})).await;
        let report = collected.expect(200).json();
        if report["errors"] != json!([]) {
            return None;
        }
        let ran = checked(app, &["--rehash", "--json"]);
        assert_eq!(ran.code, Some(0), "after the retry: {}", ran.output);
        let found: Value = serde_json::from_str(&ran.output).expect("a report");
        (found["findings"] == json!([])).then_some(())
    })
    .await;
}
