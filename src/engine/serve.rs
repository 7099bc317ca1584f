//! Serving: a client's request, carried out. Every outcome leaves one row in the log, in the dialect of its type.

use std::sync::Arc;

use artifactapi_core::clock::Time;
use artifactapi_core::entry::EntryKey;
use artifactapi_core::event::{Event, EventKind};
use artifactapi_core::fault::{Kind, Retry};
use artifactapi_core::headers::Headers;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Ask, Class, Plan, Reply, Want};
use artifactapi_core::policy::Admission;
use artifactapi_core::port::ByteStream;
use artifactapi_core::port::catalog::LogRow;
use artifactapi_core::{Fault, Key};

use crate::account::Account;
use crate::exchange::{Access, Body, Exchange, Response};
use crate::obtain::crashed;
use crate::table::Mount;
use crate::{Engine, again, publish, read, respond};

/// Longest path that can be a key: 1024 bytes, each of them escaped.
const LONGEST_PATH: usize = 3 * 1024;

/// An answer, and the entry it used.
pub(crate) struct Served {
    pub(crate) response: Response,
    pub(crate) entry: Option<EntryKey>,
}

impl From<Response> for Served {
    fn from(response: Response) -> Self {
        Self {
            response,
            entry: None,
        }
    }
}

impl Engine {
    /// Carries out a request without a body.
    pub async fn serve(&self, x: Exchange) -> Response {
        self.exchange(x, None).await
    }

    /// Carries out a request whose body streams in.
    pub async fn write(&self, x: Exchange, body: ByteStream) -> Response {
        self.exchange(x, Some(body)).await
    }

    async fn exchange(&self, x: Exchange, body: Option<ByteStream>) -> Response {
        let begun = self.shared.clock.now();
        let mount = self.shared.table.get(&x.repo);
        let served = match &mount {
            Some(mount) => self.on_mount(mount, &x, body).await,
            None => Err(Fault::not_found(format!("there is no repository {}", x.repo))),
        };
        let mut served = served.unwrap_or_else(|fault| failure(&fault, mount.as_deref(), x.head).into());
        if mount.as_ref().is_some_and(|mount| !mount.anonymous_read()) {
            keep_private(&mut served.response.headers);
        }
        again::sift(&mut served.response, &x, mount.as_ref());
        self.account(&x, mount.as_deref(), begun, served)
    }

    async fn on_mount(
        &self,
        mount: &Arc<Mount>,
        x: &Exchange,
        body: Option<ByteStream>,
    ) -> Result<Served, Fault> {
        if x.who == Access::Anonymous && !mount.anonymous_read() {
            return Err(Fault::client(Kind::Unauthorized, "this repository wants a token"));
        }
        let key = Key::decode(&x.raw_path)?;
        let ask = Ask {
            verb: x.verb,
            key,
            query: x.query.clone(),
            headers: x.headers.clone(),
        };
        match mount.format.route(&ask, &mount.repo())? {
            Plan::Answer(reply) => Ok(answer(reply).into()),
            Plan::Redirect(to) => Ok(redirect(&to).into()),
            Plan::Serve(want) => self.on_want(mount, x, &want).await,
            Plan::Publish(put) => {
                publish::may_write(x)?;
                publish::put(&self.shared, mount, x, put, body).await
            }
            Plan::Delete(want) => {
                publish::may_write(x)?;
                publish::delete(&self.shared, mount, x, &want).await
            }
        }
    }

    /// Policy first; then the bytes. A flight that died without a word is joined once more.
    async fn on_want(&self, mount: &Arc<Mount>, x: &Exchange, want: &Want) -> Result<Served, Fault> {
        if let Admission::Denied(reason) = mount.policy.admit(&want.key, want.service) {
            return Err(Fault::client(Kind::Denied, reason));
        }
        let read = || read::read(&self.shared, mount, x, want);
        let served = match read().await {
            Err(fault) if crashed(&fault) => read().await,
            other => other,
        };
        match served {
            Err(fault) if matches!(fault.kind, Kind::NotFound | Kind::Gone) => {
                match mount.format.instead(want) {
                    Some(source) => crate::pages::made_from(&self.shared, mount, x, (want, source)).await,
                    None => Err(fault),
                }
            }
            served => served,
        }
    }

    fn account(&self, x: &Exchange, mount: Option<&Mount>, begun: Time, served: Served) -> Response {
        let Served { mut response, entry } = served;
        let now = self.shared.clock.now();
        let row = LogRow {
            at: now,
            repo: mount.map(|mount| Arc::clone(&mount.name)).unwrap_or_default(),
            method: x.method(),
            path: loggable(&x.raw_path).into(),
            status: response.status,
            outcome: response.outcome.as_str(),
            hit: response.outcome.is_hit() && response.status < 400,
            bytes: 0,
            micros: u64::try_from(now.since(begun).as_micros()).unwrap_or(u64::MAX),
        };
        if row.hit {
            self.tell_hit(&row);
        }
        let account = Account {
            row,
            touch: entry.map(Arc::new),
            log: self.shared.handles.log.clone(),
            observer: Arc::clone(&self.shared.observer),
            clock: Arc::clone(&self.shared.clock),
        };
        response.body = match response.body {
            Body::Stream { length, stream } => Body::Stream {
                length,
                stream: account.follow(stream),
            },
            Body::File(portion) => Body::File(Box::new(account.watch(*portion))),
            Body::Again(again) => {
                account.close(again.body().len() as u64);
                Body::Again(again)
            }
            Body::Bytes(bytes) => {
                account.close(bytes.len() as u64);
                Body::Bytes(bytes)
            }
            bare => {
                account.close(0);
                bare
            }
        };
        response
    }

    pub(crate) fn tell_hit(&self, row: &LogRow) {
        self.shared.handles.events.tell_hit(|| Event {
            kind: EventKind::Hit,
            remote: Some(row.repo.as_ref().to_owned()),
            path: Some(row.path.as_ref().to_owned()),
            at: row.at,
            outcome: row.outcome.to_owned(),
            bytes: None,
        });
    }
}

fn answer(reply: Reply) -> Response {
    let mut headers = reply.headers;
    headers.set("content-type", reply.media);
    Response {
        status: reply.status,
        headers,
        body: Body::Bytes(reply.body.into()),
        outcome: Outcome::Relay,
    }
}

fn redirect(to: &str) -> Response {
    let headers = Headers::from_iter([("location", to)]);
    Response {
        status: 308,
        headers,
        body: Body::Bytes("".into()),
        outcome: Outcome::Relay,
    }
}

/// A fault in the dialect of the repository's type.
pub(crate) fn failure(fault: &Fault, mount: Option<&Mount>, head: bool) -> Response {
    let plain = || ("text/plain; charset=utf-8", format!("{fault}\n").into_bytes());
    let (media, body) = mount.map_or_else(plain, |mount| mount.format.error_body(fault));
    let outcome = match fault.kind {
        Kind::Denied | Kind::Unauthorized | Kind::Forbidden => Outcome::Denied,
        _ if fault.remembered => Outcome::Negative,
        kind => Outcome::Failed(kind),
    };
    let mut headers = Headers::from_iter([("content-type", media), ("cache-control", "no-store")]);
    respond::mark(&mut headers, outcome, None);
    if let Retry::After(pause) = fault.retry {
        headers.set("retry-after", pause.as_secs().max(1).to_string());
    }
    dress(&mut headers, fault, mount);
    if fault.cause.is_some() || fault.kind.status() >= 500 {
        log::warn!(repository = mount.map_or("", Mount::name), code = fault.kind.code(); "{fault:?}");
    }
    let body = if head {
        Body::Measured(Some(body.len() as u64))
    } else {
        Body::Bytes(body.into())
    };
    Response {
        status: fault.kind.status(),
        headers,
        body,
        outcome,
    }
}

/// Fields that belong to a status (RFC 9110 §11.6.1, §15.5.6).
fn dress(headers: &mut Headers, fault: &Fault, mount: Option<&Mount>) {
    match fault.kind {
        Kind::Unauthorized => headers.set(
            "www-authenticate",
            "Basic realm=\"artifactapi\", Bearer realm=\"artifactapi\"",
        ),
        Kind::MethodNotAllowed => {
            let hosts = mount.is_some_and(|mount| mount.repository.local().is_some());
            headers.set(
                "allow",
                if hosts {
                    "GET, HEAD, PUT, DELETE"
                } else {
                    "GET, HEAD"
                },
            );
        }
        _ => {}
    }
}

/// Keeps caches that others share from storing what only holders of a token may read (RFC 9111 §3.5).
fn keep_private(headers: &mut Headers) {
    if let Some(public) = headers.get("cache-control") {
        let private = public.replacen("public", "private", 1);
        headers.set("cache-control", private);
    }
}

/// As much of a path as any key can have; the rest of a longer one, which was refused, would only fill the log.
pub(crate) fn loggable(raw_path: &str) -> &str {
    raw_path
        .get(..raw_path.floor_char_boundary(LONGEST_PATH))
        .unwrap_or(raw_path)
}

/// Whether a want is shown through a derived page.
pub(crate) fn is_page(want: &Want) -> bool {
    matches!(want.class, Class::Index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_token_stays_out_of_shared_caches() {
        for (open, closed) in [
            (
                "public, max-age=31536000, immutable",
                "private, max-age=31536000, immutable",
            ),
            (
                "public, max-age=0, must-revalidate",
                "private, max-age=0, must-revalidate",
            ),
            ("no-store", "no-store"),
        ] {
            let mut headers = Headers::from_iter([("cache-control", open)]);
            keep_private(&mut headers);
            assert_eq!(headers.get("cache-control"), Some(closed));
        }
    }

    #[test]
    fn an_overlong_path_is_logged_in_part() {
        assert_eq!(loggable("a/b%20c"), "a/b%20c");
        let long = format!("{}ü{}", "a".repeat(LONGEST_PATH - 1), "b".repeat(9));
        assert_eq!(loggable(&long), "a".repeat(LONGEST_PATH - 1));
    }
}
