//! A server that is away, ends connections, stops without a word, or loses an answer.

use std::sync::atomic::Ordering;
use std::time::Instant;

use artifactapi_core::fault::Retry;
use artifactapi_core::port::catalog::Created;
use artifactapi_core::repository::{LocalSettings, Role, Secret};
use artifactapi_core::{RepoId, Repository, Time};
use futures_util::future::join_all;

use super::super::testing::warm;
use super::server::{LIMIT, Server};
use super::wire::{Break, Wire};
use super::*;

/// More than a call may take while the server is away: waiting for a connection, then for an answer.
const BOUND: Duration = Duration::from_secs(10);

struct Rig {
    io: Io,
    vault: Arc<Vault>,
}

impl Rig {
    fn new() -> Self {
        Self {
            io: Io::start().unwrap(),
            vault: Arc::new(Vault::given(&Secret(format!("{}=", "A".repeat(43)))).unwrap()),
        }
    }

    async fn open(&self, settings: &Postgresql) -> Postgres {
        let opened = Postgres::open(settings, &self.io, SystemClock::shared(), Arc::clone(&self.vault));
        opened.await.unwrap()
    }
}

fn repository(name: &str) -> Repository {
    Repository {
        id: RepoId(uuid::Uuid::now_v7()),
        name: name.to_owned(),
        package_type: "generic".to_owned(),
        role: Role::Local(LocalSettings::default()),
        revision: 1,
        created_at: Time(0),
        updated_at: Time(0),
    }
}

fn unavailable(fault: &Fault) -> bool {
    fault.kind == Kind::StoreUnavailable && matches!(fault.retry, Retry::After(_))
}

/// Calls until it answers; it is never opened anew.
async fn recovered(db: &Postgres) {
    let answers = async {
        while db.settle("again", "there").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, answers).await.unwrap();
    assert_eq!(db.setting("again").await.unwrap().as_deref(), Some("there"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_cost_nobody_anything() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    db.settle("name", "value").await.unwrap();
    for round in 0..6 {
        warm(&db, 4).await;
        let cut = place.cut_all().await;
        assert!(cut >= 4, "{cut}");
        match round % 3 {
            0 => assert_eq!(db.setting("name").await.unwrap().as_deref(), Some("value")),
            1 => assert_eq!(db.settle("name", "other").await.unwrap(), "value"),
            _ => assert_eq!(db.prune_log(Time(0)).await.unwrap(), 0),
        }
    }
    db.close().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_connection_ends_leaves_nothing_and_is_not_begun_again() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    let mut begun = 0;
    let done: Result<(), Fault> = transaction!(db.db, |tx| async {
        begun += 1;
        tx.run(Query::new(sql::SETTLE).bind("name").bind("value")).await?;
        place.cut_all().await;
        tx.first(Query::new(sql::SETTING).bind("name")).await?;
        Ok(End::Commit(()))
    });
    assert!(unavailable(&done.unwrap_err()));
    assert_eq!(begun, 1);
    assert_eq!(db.setting("name").await.unwrap(), None);
    db.close().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_used_again_when_it_is_back() {
    let (rig, mut server) = (Rig::new(), Server::start().await);
    let db = rig.open(&server.settings()).await;
    server.shut_down();
    let asked = Instant::now();
    for answer in join_all((0..200).map(|_| db.setting("name"))).await {
        assert!(unavailable(&answer.unwrap_err()));
    }
    assert!(unavailable(
        &db.create_repository(&repository("a")).await.unwrap_err()
    ));
    assert!(asked.elapsed() < BOUND, "{:?}", asked.elapsed());
    server.restart().await;
    recovered(&db).await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_without_a_word_costs_a_bounded_wait() {
    let (rig, server) = (Rig::new(), Server::start().await);
    let db = rig.open(&server.settings()).await;
    for _ in 0..3 {
        join_all((0..20).map(|_| db.setting("name"))).await;
        server.stop();
        let asked = Instant::now();
        for answer in join_all((0..200).map(|_| db.setting("name"))).await {
            assert!(unavailable(&answer.unwrap_err()));
        }
        assert!(unavailable(&db.settle("name", "value").await.unwrap_err()));
        assert!(asked.elapsed() < BOUND, "{:?}", asked.elapsed());
        server.go_on();
        recovered(&db).await;
    }
    assert_eq!(db.setting("name").await.unwrap(), None);
    db.close().await;
}

/// Without its answer a COMMIT is neither done nor undone; nobody may do it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_a_fault_and_never_tried_again() {
    let place = Place::new().await;
    place.open().await.close().await;
    for (at, holds) in [
        (Break::BeforeItIsAnswered, true),
        (Break::BeforeTheServerHears, false),
    ] {
        let port = u16::try_from(place.settings.port).unwrap();
        let wire = Wire::to(port, b"COMMIT\0", at, 1).await;
        let settings = Postgresql {
            port: wire.port.into(),
            ..place.settings.clone()
        };
        let db = place.try_open_as(&settings).await.unwrap();
        let new = repository(if holds { "heard" } else { "unheard" });
        assert!(unavailable(&db.create_repository(&new).await.unwrap_err()));
        assert_eq!(wire.said.load(Ordering::SeqCst), 1);
        let found = db.repositories().await.unwrap().contains(&new);
        assert_eq!(found, holds);
        let again = db.create_repository(&new).await.unwrap();
        assert_eq!(again == Created::NameTaken, holds);
        db.close().await;
    }
    place.remove().await;
}

/// A caller who leaves takes the connection along: its answer must not become another's, and its locks must go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_leave_leave_nothing_behind() {
    let place = Place::new().await;
    let db = place.open_warm(4).await;
    for (name, value) in [("a", "1"), ("b", "2")] {
        db.settle(name, value).await.unwrap();
    }
    for patience in 0..200_u64 {
        let limit = Duration::from_micros(patience * 20);
        drop(tokio::time::timeout(limit, db.setting("a")).await);
        drop(tokio::time::timeout(limit, db.settle("c", "3")).await);
        assert_eq!(db.setting("b").await.unwrap().as_deref(), Some("2"));
    }
    assert_eq!(db.settle("c", "4").await.unwrap().len(), 1);
    let idle = "SELECT * FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let gone = async {
        while place.run(idle).await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
    db.close().await;
    place.remove().await;
}
