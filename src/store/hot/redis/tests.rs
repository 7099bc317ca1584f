//! On a real server from `IT_REDIS_URL`; with a server of the test's own where it has to suffer.

mod faults;
mod late;
mod listening;
mod server;

use std::time::Duration;

use artifactapi_core::config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::hot::{Heard, Hearing, Hot};
use artifactapi_core::repository::Secret;
use artifactapi_io::Io;
use futures_util::StreamExt as _;

use super::Redis;

/// Nothing takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(20);

fn settings(url: &str) -> config::Redis {
    config::Redis {
        url: Some(Secret(url.to_owned())),
        prefix: format!("test {}:", uuid::Uuid::now_v7()),
        ..config::Redis::default()
    }
}

/// Patient where a test is not about time: the machine may be busy.
fn patient(url: &str) -> config::Redis {
    config::Redis {
        wait_milliseconds: 10_000,
        ..settings(url)
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn shared_server() -> String {
    std::env::var("IT_REDIS_URL")
        .expect("IT_REDIS_URL is missing: eval \"$(scripts/stores start)\" starts what tests need")
}

fn kind<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> Kind {
    outcome.unwrap_err().kind
}

/// What is heard next.
async fn next(hearing: &mut Hearing) -> Heard {
    let next = tokio::time::timeout(LIMIT, hearing.next()).await;
    next.unwrap().unwrap()
}

/// Tries until a call succeeds.
async fn until_it_works(hot: &Redis) {
    let works = async {
        while hot.get("anything").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, works).await.unwrap();
}

#[tokio::test]
async fn it_keeps_every_promise_of_its_port() {
    let (url, io) = (shared_server(), Io::start().unwrap());
    crate::conformance::hot(|| async { Redis::open(&patient(&url), &io).unwrap() }).await;
}

#[tokio::test]
async fn two_replicas_share_what_it_holds() {
    let settings = patient(&shared_server());
    let one = Redis::open(&settings, &Io::start().unwrap()).unwrap();
    let other = Redis::open(&settings, &Io::start().unwrap()).unwrap();
    assert!(one.is_shared() && one.kind() == "redis");
    crate::conformance::hot_between(&one, &other).await;
}

#[tokio::test]
async fn installations_with_other_prefixes_are_apart() {
    let (url, io) = (shared_server(), Io::start().unwrap());
    let one = Redis::open(&patient(&url), &io).unwrap();
    let other = Redis::open(&patient(&url), &io).unwrap();
    let mut hearing = other.listen("news").await.unwrap();
    one.set("a", b"x".to_vec(), LIMIT).await.unwrap();
    one.publish("news", b"of one".to_vec()).await.unwrap();
    other.publish("news", b"of the other".to_vec()).await.unwrap();
    assert_eq!(other.get("a").await.unwrap(), None);
    assert_eq!(next(&mut hearing).await, Heard::Message(b"of the other".to_vec()));
}

#[tokio::test]
async fn only_a_url_that_makes_no_sense_fails_to_open_and_no_fault_tells_it() {
    let io = Io::start().unwrap();
    let senseless = [
        "",
        "here",
        "http://127.0.0.1",
        "redis://:geheim@",
        "rediss://:geheim@a.example/#insecure",
    ];
    for url in senseless {
        let fault = Redis::open(&settings(url), &io).err().unwrap();
        assert_eq!(fault.kind, Kind::Internal, "{url}");
        assert!(!format!("{fault:?}").contains("geheim"), "{fault:?}");
    }
    assert!(Redis::open(&config::Redis::default(), &io).is_err());
    let nobody = Redis::open(&settings("redis://:geheim@127.0.0.1:1/3"), &io).unwrap();
    let fault = nobody.get("a").await.unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable);
    assert!(!format!("{fault:?}").contains("geheim"), "{fault:?}");
    assert_eq!(kind(nobody.check().await), Kind::StoreUnavailable);
}

#[tokio::test]
async fn what_the_server_refuses_is_a_fault_of_that_call_alone() {
    let settings = patient(&shared_server());
    let hot = Redis::open(&settings, &Io::start().unwrap()).unwrap();
    let name = hot.name("value:", "a list");
    let mut push = super::cmd("RPUSH");
    let () = hot.call(push.arg(&name).arg("x")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(kind(hot.get("a list").await), Kind::StoreUnavailable);
        assert_eq!(hot.get("another").await.unwrap(), None);
    }
    assert_eq!(hot.pool.status().size, 1, "the connection is still good");
    hot.delete("a list").await.unwrap();
}
