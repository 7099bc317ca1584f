//! The client against a scripted upstream: every behaviour that others rely on.

mod bodies;
mod credentials;
mod decoding;
mod guarding;
mod mirrors;
mod redirecting;
mod resuming;
mod runtime;
mod secure;
mod server;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use artifactapi_core::clock::SystemClock;
use artifactapi_core::port::upstream::{Answer, Coding, Credentials, Method, Origin, Request, Upstream};
use artifactapi_core::repository::RepoId;
use artifactapi_core::{Fault, Headers, config};
use artifactapi_io::Io;
use futures_util::StreamExt;
use url::Url;

use crate::client::Client;
use crate::resolver::{Looking, Names};
use crate::settings::Settings;
use crate::tls::Trusted;

/// Patient where a busy machine needs it, quick between tries.
fn settings() -> Settings {
    Settings {
        pause: Duration::from_millis(1),
        ..config::Upstream::default().into()
    }
}

/// Settings under which silence ends soon.
fn impatient() -> Settings {
    Settings {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        ..settings()
    }
}

fn client() -> Client {
    client_with(settings(), &[])
}

/// A client for which names mean what `names` say, and nothing else exists.
fn client_with(settings: Settings, names: &[(&'static str, &[&str])]) -> Client {
    let table = names
        .iter()
        .map(|(host, addresses)| (*host, addresses.iter().map(|ip| ip.parse().unwrap()).collect()))
        .collect();
    assembled(settings, Table(table))
}

/// A client that does not read the system's certificates anew.
fn assembled(settings: Settings, names: impl Names) -> Client {
    static TRUSTED: LazyLock<Arc<Trusted>> = LazyLock::new(|| Arc::new(Trusted::load().unwrap()));
    Client::assemble(
        settings,
        SystemClock::shared(),
        Arc::new(names),
        Arc::clone(&TRUSTED),
        Io::start().unwrap(),
    )
}

struct Table(Vec<(&'static str, Vec<IpAddr>)>);

impl Names for Table {
    fn look_up(&self, host: &str) -> Looking {
        let found = self
            .0
            .iter()
            .find(|(name, _)| *name == host)
            .map(|(_, ips)| ips.clone());
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

fn origin(root: &Url) -> Origin {
    Origin {
        repo: RepoId(uuid::Uuid::now_v7()),
        revision: 1,
        roots: vec![root.clone()],
        credentials: Credentials::Anonymous,
        mirrors: Vec::new(),
        allow_networks: Vec::new(),
        egress_proxy: None,
        ca_bundle: None,
    }
}

/// A plain GET of `url` for a remote whose base it is.
fn get(url: &Url) -> Request {
    of(origin(url), url)
}

fn of(origin: Origin, url: &Url) -> Request {
    Request {
        origin: Arc::new(origin),
        method: Method::Get,
        urls: vec![url.clone()],
        headers: Headers::new(),
        coding: Coding::Raw,
        digest_known: false,
        limit: 0,
    }
}

/// Reads a body: what came, and the fault that ended it.
async fn read(answer: Answer) -> (Vec<u8>, Option<Fault>) {
    let mut body = answer.body;
    let mut bytes = Vec::new();
    while let Some(item) = body.next().await {
        match item {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(fault) => return (bytes, Some(fault)),
        }
    }
    (bytes, None)
}

/// Sends and reads to the proven end.
async fn fetched(client: &Client, request: Request) -> Vec<u8> {
    let (bytes, fault) = read(client.send(request).await.unwrap()).await;
    assert!(fault.is_none(), "{fault:?}");
    bytes
}

/// Sends, and gives the fault that must come instead of a head.
async fn refused(client: &Client, request: Request) -> Fault {
    client.send(request).await.map(|answer| answer.head).unwrap_err()
}

/// Bytes that differ everywhere.
fn sample(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 7 % 251).unwrap())
        .collect()
}
