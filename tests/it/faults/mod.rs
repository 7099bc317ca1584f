//! PostgreSQL, Redis and S3 killed, stopped, cut off, slow and flushed, one after the other, under load: no answer is
//! wrong, nothing acknowledged is lost, and all goes on by itself once the fault is over.
//!
//! `IT_FAULT_SECONDS` is how long each fault lasts, `IT_FAULT_ROUNDS` how often each is tried, `IT_FAULTS` part of the
//! names of those that are. Times are printed, not asserted.

mod load;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use self::load::{Load, Verdict, What};
use self::table::Row;
use crate::support::app::App;
use crate::support::bytes::Rng;
use crate::support::chaos::{Chaos, Mode};
use crate::support::parts::Parts;
use crate::support::script::Script;
use crate::support::servers::{Own, Server};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, eventually};

/// Time of load without a fault before each.
const CALM: Duration = Duration::from_millis(1500);
/// Time without trouble after which it counts as over.
const QUIET: Duration = Duration::from_millis(1500);
/// Connections that one program may have to PostgreSQL.
const CONNECTIONS: u64 = 16;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9, and started again at the end.
    Killed(Server),
    /// SIGSTOP: connections stay, and nothing moves.
    Stopped(Server),
    /// Connections are reset, and new ones are closed.
    CutOff(Server),
    /// Connections stay and are made, and nothing comes through.
    Swallowed(Server),
    /// Half a second to every answer.
    Slow(Server),
    /// Everything is forgotten.
    Flushed,
}

const FAULTS: [Fault; 14] = [
    Fault::Killed(Server::Redis),
    Fault::Flushed,
    Fault::Stopped(Server::Redis),
    Fault::Slow(Server::Redis),
    Fault::CutOff(Server::Redis),
    Fault::Swallowed(Server::Redis),
    Fault::Killed(Server::Postgresql),
    Fault::Stopped(Server::Postgresql),
    Fault::CutOff(Server::Postgresql),
    Fault::Swallowed(Server::Postgresql),
    Fault::Killed(Server::S3),
    Fault::Stopped(Server::S3),
    Fault::CutOff(Server::S3),
    Fault::Swallowed(Server::S3),
];

/// Servers of the test's own, each behind a proxy.
struct Rig {
    servers: Own,
    postgresql: Chaos,
    redis: Chaos,
    s3: Chaos,
}

impl Rig {
    async fn start() -> Self {
        let servers = tokio::task::block_in_place(Own::start);
        let at = servers.servers().clone();
        Self {
            postgresql: Chaos::before(&at.postgresql).await,
            redis: Chaos::before(&at.redis).await,
            s3: Chaos::before(&at.s3).await,
            servers,
        }
    }

    async fn app(&self) -> App {
        App::setup()
            .on(Parts::ALL)
            .at(self.servers.servers())
            .env("DBPORT", &self.postgresql.address().port().to_string())
            .env("ARTIFACTAPI_POSTGRESQL_CONNECTIONS", &CONNECTIONS.to_string())
            .env("REDIS_URL", &format!("redis://{}/", self.redis.address()))
            .env("MINIO_ENDPOINT", &self.s3.address().to_string())
            .start()
            .await
    }

    fn link(&self, server: Server) -> &Chaos {
        match server {
            Server::Postgresql => &self.postgresql,
            Server::Redis => &self.redis,
            Server::S3 => &self.s3,
        }
    }

    fn inject(&self, fault: Fault) {
        match fault {
            Fault::Killed(server) => self.servers.kill(server),
            Fault::Stopped(server) => self.servers.freeze(server),
            Fault::CutOff(server) => {
                self.link(server).set(Mode::DropNew);
                self.link(server).cut();
            }
            Fault::Swallowed(server) => self.link(server).set(Mode::BlackHole),
            Fault::Slow(server) => self.link(server).set(Mode::Delay(Duration::from_millis(250))),
            Fault::Flushed => self.servers.flush(),
        }
    }

    fn heal(&self, fault: Fault) {
        match fault {
            Fault::Killed(_) => tokio::task::block_in_place(|| self.servers.revive()),
            Fault::Stopped(server) => self.servers.thaw(server),
            Fault::CutOff(server) | Fault::Swallowed(server) | Fault::Slow(server) => {
                self.link(server).set(Mode::Pass);
            }
            Fault::Flushed => self.servers.flush(),
        }
    }
}

/// One fault under load, from the calm before it until nothing is refused any more.
async fn trial(rig: &Rig, load: &Load, fault: Fault, lasts: Duration) -> Row {
    let began = Instant::now();
    tokio::time::sleep(CALM).await;
    let injected = Instant::now();
    rig.inject(fault);
    tokio::time::sleep(lasts).await;
    rig.heal(fault);
    let healed = Instant::now();
    let mut recovered = false;
    while !recovered && healed.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        recovered = is_over(load, healed);
    }
    let row = Row::of(&load.samples(), fault, [began, injected, healed], recovered);
    println!("{row}");
    row
}

/// Whether every kind of request has succeeded again, and nothing was refused for a while.
fn is_over(load: &Load, healed: Instant) -> bool {
    let samples = load.samples();
    let quiet = samples
        .iter()
        .rev()
        .take_while(|sample| sample.verdict == Verdict::Right);
    let since: Vec<_> = quiet.filter(|sample| sample.start > healed).collect();
    let kinds = [What::Hit, What::Miss, What::Write, What::ReadBack];
    let first = since.iter().map(|sample| sample.start).min();
    first.is_some_and(|first| first.elapsed() >= QUIET)
        && kinds
            .iter()
            .all(|kind| since.iter().any(|sample| sample.what == *kind))
}

fn faults() -> Vec<Fault> {
    let part = std::env::var("IT_FAULTS").unwrap_or_default();
    let mut faults = FAULTS.to_vec();
    faults.retain(|fault| format!("{fault:?}").contains(&part));
    faults
}

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

/// Everything acknowledged is there with its bytes.
async fn audit(app: &App, load: &Load) -> usize {
    let written = load.written();
    for (name, number) in &written {
        app.read("l", name).await.expect_bytes(&load::body(*number));
    }
    written.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_in_trouble_under_load_makes_no_answer_wrong_and_loses_nothing() {
    let mut rng = Rng::printed("faults");
    let lasts = Duration::from_secs(setting("IT_FAULT_SECONDS", 3));
    let rig = Rig::start().await;
    let upstream = Arc::new(Upstream::start());
    let app = rig.app().await;
    app.create_local("l", "generic", json!({})).await;
    app.create_remote("g", "generic", &upstream.url(), json!({}))
        .await;
    for number in 0..load::WARM {
        upstream.set(&format!("/w{number}"), Script::new(load::body(number)));
        app.read("g", &format!("w{number}")).await.expect(200);
        app.stored("g", &format!("w{number}")).await;
    }
    let (load, clients) = Load::start(&app, &upstream, &mut rng);
    println!("{}", table::HEAD);
    let mut rows = Vec::new();
    for _ in 0..setting("IT_FAULT_ROUNDS", 1) {
        for fault in faults() {
            rows.push(trial(&rig, &load, fault, lasts).await);
        }
    }
    load.stop();
    for client in clients {
        client.await.expect("no client panics");
    }
    let healthy = || async { (app.health().await["status"] == "ok").then_some(()) };
    eventually("the program calls itself well", healthy).await;
    let (samples, open) = (load.samples(), rig.postgresql.open());
    let audited = audit(&app, &load).await;
    println!(
        "faults: {} requests, {audited} acknowledged writes audited; connections to PostgreSQL: {open} open, {} in all",
        samples.len(),
        rig.postgresql.opened()
    );
    let wrong = samples
        .iter()
        .filter(|sample| matches!(sample.verdict, Verdict::Wrong(_)));
    assert_eq!(
        wrong.map(|sample| format!("{sample:?}")).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
    let stuck: Vec<_> = rows
        .iter()
        .filter(|row| !row.recovered())
        .map(ToString::to_string)
        .collect();
    assert_eq!(stuck, Vec::<String>::new(), "does not go on by itself");
    assert!(open <= CONNECTIONS, "{open} connections to PostgreSQL are open");
}
