//! A landing that does what a test says and notes what it was told.

use std::sync::{Arc, Mutex};

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::{Seal, Verdict};
use artifactapi_core::{Entry, Fault};
use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::entry;
use crate::flight::{Fetched, Judgement, Landing};

/// What all landings of a rig do. Its log has one line for each call.
pub(crate) struct Script {
    log: Mutex<Vec<String>>,
    /// `land` and `failed` take a permit; tests that hold them back take these away first.
    pub(crate) gate: Semaphore,
    pub(crate) rules: Mutex<Rules>,
}

#[derive(Clone, Default)]
pub(crate) struct Rules {
    pub(crate) found: Option<Arc<Entry>>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) unstorable: bool,
    pub(crate) panic_on_judge: bool,
}

impl Script {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            log: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            rules: Mutex::default(),
        })
    }

    /// From now on `land` and `failed` wait for [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    fn rules(&self) -> Rules {
        self.rules.lock().unwrap().clone()
    }
}

pub(crate) struct Scripted {
    pub(crate) script: Arc<Script>,
    pub(crate) path: String,
}

struct Stamp(Verdict);

impl Seal for Stamp {
    fn update(&mut self, _: &[u8]) {}

    fn finish(self: Box<Self>) -> Verdict {
        self.0
    }
}

#[async_trait]
impl Landing for Scripted {
    async fn found(&mut self) -> Option<Arc<Entry>> {
        self.script.rules().found
    }

    fn judge(&mut self, head: &Head) -> Judgement {
        let rules = self.script.rules();
        assert!(!rules.panic_on_judge, "the landing panics");
        self.script.note(format!("judge {}", head.status));
        match head.status {
            200 => Judgement::Take {
                seal: rules
                    .verdict
                    .map(|verdict| Box::new(Stamp(verdict)) as Box<dyn Seal>),
            },
            304 => Judgement::Same,
            404 => Judgement::Fail(Fault::not_found("upstream has no such thing")),
            _ => Judgement::Fail(Fault::new(Kind::Broken, "upstream fails")),
        }
    }

    async fn land(&mut self, fetched: &Fetched) -> Result<Arc<Entry>, Fault> {
        self.script.gate.acquire().await.unwrap().forget();
        self.script
            .note(format!("land {} proven={}", fetched.size, fetched.proven));
        if self.script.rules().unstorable {
            return Err(Fault::ours(
                Kind::StoreUnavailable,
                "the store is full",
                "scripted",
            ));
        }
        Ok(entry(&self.path))
    }

    async fn same(&mut self, _: &Head) -> Result<Arc<Entry>, Fault> {
        self.script.note("same".into());
        Ok(entry(&self.path))
    }

    async fn failed(&mut self, fault: Fault) -> Fault {
        self.script.gate.acquire().await.unwrap().forget();
        self.script.note(format!("failed {}", fault.kind.code()));
        fault
    }
}
