//! The typed client, the stream of events, and the end of the server.

use artifactapi_api::client::{Client, Failure};
use artifactapi_api::health::Status;
use artifactapi_api::objects::{EvictQuery, ObjectQuery};
use artifactapi_api::probe::ProbeOrder;
use artifactapi_api::{Draft, gc::GcOrder};
use artifactapi_core::repository::{LocalSettings, RemoteSettings};
use serde_json::json;

use super::{Wire, running};
use crate::Running;
use crate::admin::harness::{Bench, TOKEN};

fn client(server: &Running) -> Client {
    let url = format!("http://{}/", server.addresses()[0]);
    Client::new(url.parse().unwrap(), Some(TOKEN.to_owned()))
}

fn watch(query: &str, last: &str) -> String {
    format!("GET /api/v2/events{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n{last}\r\n")
}

fn draft(name: &str) -> Draft<RemoteSettings> {
    Draft {
        name: name.to_owned(),
        package_type: "generic".to_owned(),
        settings: RemoteSettings::new("http://upstream.example/".parse().unwrap()),
    }
}

#[actix_web::test]
async fn the_typed_client_does_what_administrators_do() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    let client = client(&server);
    let created = client.create(&draft("a")).await.unwrap();
    assert_eq!(client.get::<RemoteSettings>("a").await.unwrap(), created);
    let patched = client
        .patch::<RemoteSettings>("a", json!({"description": "d"}))
        .await
        .unwrap();
    assert_eq!(
        (patched.revision, patched.draft.settings.description.as_str()),
        (2, "d")
    );
    assert_eq!(client.replace(&draft("a"), true).await.unwrap().draft, draft("a"));
    assert_eq!(client.remotes().await.unwrap().len(), 1);
    assert!(client.locals().await.unwrap().is_empty());
    let order = ProbeOrder {
        remote: "a".into(),
        path: "x".into(),
        method: None,
    };
    assert!(client.probe(&order).await.unwrap().ok);
    let page = client
        .objects::<RemoteSettings>("a", &ObjectQuery::default())
        .await
        .unwrap();
    assert!(page.items.is_empty());
    let all = EvictQuery {
        all: Some(true),
        ..EvictQuery::default()
    };
    assert_eq!(
        client.evict::<RemoteSettings>("a", &all).await.unwrap().evicted,
        0
    );
    assert_eq!(client.health().await.unwrap().status, Status::Ok);
    assert_eq!(client.stats().await.unwrap().remotes.len(), 1);
    assert!(client.collect(&GcOrder::default()).await.unwrap().is_object());
    assert!(client.collection().await.unwrap().last.is_some());
    client.delete::<RemoteSettings>("a").await.unwrap();
    let missing = client.get::<LocalSettings>("a").await.unwrap_err();
    assert!(matches!(missing, Failure::Refused(problem) if problem.status == 404));
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn events_are_told_as_they_happen_and_resumed_by_id() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    let mut wire = Wire::open(&server).await;
    wire.say(&watch("?kind=config&remote=a,b", "")).await;
    let head = wire.until(": artifactapi").await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    for name in ["a", "other", "b"] {
        bench.remote(name).await;
    }
    let told = wire.until("\"b\"").await;
    assert!(
        told.contains("event: config\n") && told.contains("\"a\"") && !told.contains("other"),
        "{told}"
    );
    let first = told.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let mut resumed = Wire::open(&server).await;
    resumed
        .say(&watch("", &format!("last-event-id: {first}\r\n")))
        .await;
    let told = resumed.until("\"b\"").await;
    assert!(told.contains("other") && !told.contains("\"a\""), "{told}");
    server.stop().await;
    bench.stop().await;
}

#[actix_web::test]
async fn a_stop_ends_streams_and_idle_connections_and_takes_nothing_new() {
    let bench = Bench::start().await;
    let server = running(&bench).await;
    let address = server.addresses()[0];
    let mut events = Wire::open(&server).await;
    events.say(&watch("", "")).await;
    events.until(": artifactapi").await;
    let mut idle = Wire::open(&server).await;
    idle.say("GET /api/v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    idle.until("\"ok\"").await;
    server.stop().await;
    assert!(
        events.rest().await.ends_with("0\r\n\r\n"),
        "the stream has an orderly end"
    );
    assert_eq!(idle.rest().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    bench.stop().await;
}
