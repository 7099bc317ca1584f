//! A body that mends its breaks: counts, waits with a limit, resumes, and ends only where an end is proven.

use std::sync::Arc;

use artifactapi_core::Fault;
use artifactapi_core::fault::Kind;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::client::Shared;
use crate::clients::Identity;
use crate::complete::Tally;
use crate::fields;
use crate::permits::Permit;
use crate::redirects::{self, Trip};
use crate::resume::{Basis, Verdict};
use crate::trouble::passing;
use crate::wire::{Event, Wire};

/// The coded body of one answer.
pub(crate) struct Body {
    source: Source,
    wire: Wire,
    tally: Tally,
    basis: Option<Basis>,
    resumes: u32,
    _permit: Option<Permit>,
}

/// Where a body came from.
pub(crate) struct Source {
    /// The client.
    pub(crate) shared: Arc<Shared>,
    /// Whose request it is.
    pub(crate) identity: Arc<Identity>,
    /// Where it started: redirects are followed anew, since what they point to may expire.
    pub(crate) start: Url,
    /// The fields it was asked with.
    pub(crate) fields: HeaderMap,
}

impl Body {
    /// The body that `wire` begins. `basis` is what the rest would be recognised by; without one a break is final.
    pub(crate) fn new(
        source: Source,
        wire: Wire,
        tally: Tally,
        basis: Option<Basis>,
        permit: Option<Permit>,
    ) -> Self {
        Self {
            source,
            wire,
            tally,
            basis,
            resumes: 0,
            _permit: permit,
        }
    }

    /// The next bytes; nothing at the proven end, or at an orderly end that nothing speaks against.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let idle = self.source.shared.settings.idle;
        loop {
            let broken = match self.wire.next(idle).await {
                Event::Bytes(bytes) => {
                    self.tally.add(bytes.len())?;
                    return Ok(Some(bytes));
                }
                Event::End if self.tally.may_end() => return Ok(None),
                Event::End => cut("the connection ended early".to_owned()),
                Event::Broke(why) => cut(why),
                Event::Silent => passing(Kind::Timeout, "upstream stopped sending"),
            };
            self.mend(broken).await?;
        }
    }

    /// Finds another connection for the rest, or gives up with the fault that made it necessary.
    async fn mend(&mut self, broken: Fault) -> Result<(), Fault> {
        let Some(basis) = &self.basis else {
            return Err(broken);
        };
        let settings = &self.source.shared.settings;
        while self.resumes < settings.resumes {
            let pause = settings.pause(self.resumes, self.source.shared.noise());
            self.resumes = self.resumes.saturating_add(1);
            tokio::time::sleep(pause).await;
            let at = self.tally.received();
            log::debug!("resuming a body at byte {at}: {broken:?}");
            match self.source.ask(basis, at).await {
                Ok((wire, total)) => {
                    self.wire = wire;
                    self.tally.learn(total);
                    return Ok(());
                }
                Err(Ending::Later(fault)) => log::debug!("the rest is not to be had yet: {fault:?}"),
                Err(Ending::Final(why)) => {
                    return Err(Fault::new(Kind::Cut, why).because(format!("{broken:?}")));
                }
            }
        }
        Err(broken)
    }
}

/// Why a resumption came to nothing.
enum Ending {
    /// Perhaps the next one will.
    Later(Fault),
    /// None will.
    Final(&'static str),
}

impl Source {
    /// Asks for the rest; gives the connection and the length of the whole.
    async fn ask(&self, basis: &Basis, at: u64) -> Result<(Wire, u64), Ending> {
        let trip = Trip {
            method: &Method::GET,
            start: &self.start,
            fields: &basis.ask(&self.fields, at),
        };
        let landed = redirects::follow(&self.shared, &self.identity, &trip, true)
            .await
            .map_err(Ending::Later)?;
        let status = landed.response.status().as_u16();
        match basis.judge(at, status, &fields::incoming(landed.response.headers())) {
            Verdict::GoesOn(total) => Ok((Wire::of(landed.response).0, total)),
            Verdict::Later => Err(Ending::Later(Fault::new(
                Kind::Broken,
                format!("upstream answered {status}"),
            ))),
            Verdict::Other(why) => Err(Ending::Final(why)),
        }
    }
}

fn cut(why: String) -> Fault {
    passing(Kind::Cut, "upstream broke off in the middle").because(why)
}
