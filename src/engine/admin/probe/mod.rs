//! Probe: a request on its way to upstream and back, with nothing stored and nobody served.
//!
//! It takes the way of a miss (route, policy, order, upstream) but passes by breaker and cache, because it is asked
//! when these are in doubt. It reads the head of the answer and at most the first bytes of the body.

mod trip;

use std::time::{Duration, Instant};

use artifactapi_api::probe::{ProbeOrder, ProbeReport, Timings};
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::headers::Headers;
use artifactapi_core::key::Key;
use artifactapi_core::outcome::Outcome;
use artifactapi_core::plan::{Ask, Plan, Verb};
use artifactapi_core::policy::Admission;
use artifactapi_core::port::upstream::Method;
use artifactapi_core::repository::RemoteSettings;

use self::trip::Trip;
use super::{Admin, Refused};
use crate::table::Mount;

/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Admin {
    /// Tries a path on a remote's upstream.
    pub async fn probe(&self, order: &ProbeOrder) -> Result<ProbeReport, Refused> {
        let method = method(order)?;
        let repository = self.find::<RemoteSettings>(&order.remote).await?;
        let ask = ask(&order.path).map_err(|fault| Refused::field("path", fault.what))?;
        let mount = Mount::new(repository)?;
        let started = Instant::now();
        let mut report = ProbeReport::default();
        let trip = self.run(&mount, ask, method, &mut report);
        let ended = tokio::time::timeout(PATIENCE, trip).await;
        let late = || {
            Fault::new(
                Kind::Timeout,
                format!("upstream did not answer within {PATIENCE:?}"),
            )
        };
        if let Err(fault) = ended.unwrap_or_else(|_| Err(late())) {
            refuse(&mut report, &fault);
        }
        report.timings = Timings {
            total_ms: millis(started),
            ..report.timings
        };
        Ok(report)
    }

    /// Route, policy, trip; what is learned on the way stands in the report even if it ends early.
    async fn run(
        &self,
        mount: &Mount,
        ask: Ask,
        method: Method,
        report: &mut ProbeReport,
    ) -> Result<(), Fault> {
        let plan = mount.format.route(&ask, &mount.repo());
        let want = match plan? {
            Plan::Serve(want) => want,
            Plan::Answer(reply) => {
                answered(report, reply.status);
                return Ok(());
            }
            Plan::Redirect(_) => {
                answered(report, 308);
                return Ok(());
            }
            Plan::Publish(_) | Plan::Delete(_) => {
                return Err(Fault::client(Kind::MethodNotAllowed, "a probe reads only"));
            }
        };
        report.key = Some(want.key.as_str().to_owned());
        if let Admission::Denied(reason) = mount.policy.admit(&want.key, want.service) {
            return Err(Fault::client(Kind::Denied, reason));
        }
        Trip {
            admin: self,
            mount,
            method,
        }
        .go(&want, report)
        .await
    }
}

/// A format's own answer, for which upstream is not asked.
fn answered(report: &mut ProbeReport, status: u16) {
    report.ok = status < 400;
    report.status = status;
    report.class = Some("answer".to_owned());
    "answer".clone_into(&mut report.outcome);
}

fn refuse(report: &mut ProbeReport, fault: &Fault) {
    report.ok = false;
    report.status = fault.kind.status();
    report.would_cache = false;
    report.error = Some(fault.what.clone());
    report.outcome = match fault.kind {
        Kind::Denied => Outcome::Denied.as_str().to_owned(),
        kind => Outcome::Failed(kind).as_str().to_owned(),
    };
}

fn method(order: &ProbeOrder) -> Result<Method, Refused> {
    match order.method.as_deref() {
        None | Some("GET") => Ok(Method::Get),
        Some("HEAD") => Ok(Method::Head),
        Some(_) => Err(Refused::field("method", "must be GET or HEAD")),
    }
}

/// The request that a client would make for a path as it stands in a URL.
fn ask(path: &str) -> Result<Ask, Fault> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Ok(Ask {
        verb: Verb::Get,
        key: Key::decode(path)?,
        query: query.to_owned(),
        headers: Headers::new(),
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_read_as_a_client_would_send_it() {
        let ask = ask("/a%20b/c?x=1").unwrap();
        assert_eq!((ask.key.as_str(), ask.query.as_str()), ("a b/c", "x=1"));
        assert!(super::ask("a/../b").is_err());
    }

    #[test]
    fn only_reads_are_probed() {
        let order = |method: Option<&str>| ProbeOrder {
            remote: "r".into(),
            path: "p".into(),
            method: method.map(str::to_owned),
        };
        assert_eq!(method(&order(None)).unwrap(), Method::Get);
        assert_eq!(method(&order(Some("HEAD"))).unwrap(), Method::Head);
        assert_eq!(method(&order(Some("PUT"))).unwrap_err().errors[0].field, "method");
    }

    #[test]
    fn a_refusal_has_the_status_a_client_would_see() {
        let mut report = ProbeReport::default();
        refuse(&mut report, &Fault::client(Kind::Denied, "blocked"));
        assert_eq!(
            (report.ok, report.status, report.outcome.as_str()),
            (false, 403, "denied")
        );
        refuse(&mut report, &Fault::new(Kind::Timeout, "late"));
        assert_eq!(
            (report.status, report.outcome.as_str()),
            (504, "upstream_timeout")
        );
    }
}
