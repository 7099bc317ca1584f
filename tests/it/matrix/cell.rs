//! One cell of the matrix: its upstreams, its remote, what its two clients get, and whether it heals.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::support::app::App;
use crate::support::bytes::{bytes_of, sha256};
use crate::support::client::Reply;
use crate::support::script::{Fault, Framing, Gate, Script};
use crate::support::upstream::Upstream;
use crate::support::{eventually, python};

const FILE: &str = "demo-1.0-py3-none-any.whl";
const LIE: u64 = 1000;

/// What goes wrong in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Flip,
    Truncate,
    Reset,
    Stall,
    Longer,
    Shorter,
    Quota,
    Error,
    Refuse,
}

impl Trouble {
    pub(super) const ALL: [Self; 9] = [
        Self::Flip,
        Self::Truncate,
        Self::Reset,
        Self::Stall,
        Self::Longer,
        Self::Shorter,
        Self::Quota,
        Self::Error,
        Self::Refuse,
    ];

    fn fault(self, size: u64) -> Option<Fault> {
        Some(match self {
            Self::Flip => Fault::Flip(size / 2),
            Self::Truncate => Fault::Truncate(size / 2),
            Self::Reset => Fault::Reset(size / 2),
            Self::Stall => Fault::Stall(size / 2),
            Self::Longer => Fault::LieLonger(LIE),
            Self::Shorter => Fault::LieShorter(LIE),
            Self::Quota | Self::Error | Self::Refuse => return None,
        })
    }
}

/// One cell, for both clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) number: u64,
    pub(super) trouble: Trouble,
    pub(super) framing: Framing,
    pub(super) known: bool,
    pub(super) size: u64,
}

impl Cell {
    /// Whether HTTP itself calls the wrong bytes complete and nobody knows a digest, so that nothing can tell: they
    /// are served as they were sent. Without framing they must at least count as unproven.
    pub(super) fn as_sent(&self) -> bool {
        let quiet = matches!(
            (self.trouble, self.framing),
            (Trouble::Flip, _)
                | (Trouble::Shorter, Framing::Length)
                | (
                    Trouble::Truncate | Trouble::Longer | Trouble::Shorter,
                    Framing::UntilClose
                )
        );
        quiet && !self.known
    }

    /// Whether what was served as sent must count as unproven.
    fn unproven(&self) -> bool {
        self.as_sent() && self.framing == Framing::UntilClose
    }

    fn healthy(&self) -> Script {
        Script::new(bytes_of(self.number, self.size as usize))
            .framing(self.framing)
            .etag("v1")
    }

    fn broken(&self) -> Script {
        match self.trouble {
            Trouble::Quota => Script::status(429)
                .framing(self.framing)
                .header("retry-after", "1"),
            Trouble::Error => Script::status(500).framing(self.framing),
            Trouble::Refuse => self.healthy(),
            Trouble::Flip
            | Trouble::Truncate
            | Trouble::Reset
            | Trouble::Stall
            | Trouble::Longer
            | Trouble::Shorter => Script {
                fault: self.trouble.fault(self.size),
                ..self.healthy()
            },
        }
    }
}

/// What came of a cell.
pub(super) struct Result {
    pub(super) cell: Cell,
    /// What the first client and the follower got, in a word.
    pub(super) got: [String; 2],
    pub(super) complaints: Vec<String>,
}

/// The upstreams and the remote of a cell.
pub(super) struct Rig<'a> {
    app: &'a App,
    cell: Cell,
    body: Bytes,
    files: Upstream,
    _index: Upstream,
    remote: String,
    path: String,
    complaints: Vec<String>,
}

impl<'a> Rig<'a> {
    /// A remote of its own for the cell: breakers and pins of others must not mix in.
    pub(super) async fn build(app: &'a App, cell: Cell) -> Self {
        let refuses = cell.trouble == Trouble::Refuse;
        let files = if refuses {
            Upstream::refusing()
        } else {
            Upstream::start()
        };
        let index = Upstream::start();
        let remote = format!("cell-{}", cell.number);
        let body = cell.healthy().body;
        let settings = json!({"mutable_ttl": 2, "allow_networks": [files.url()]});
        let path = if cell.known {
            let entry = python::File::new(FILE, &format!("{}/{FILE}", files.url()), &body);
            index.set("/simple/demo/", python::json_page("demo", &[entry]));
            app.create_remote(&remote, "pypi", &index.url(), settings).await;
            format!("packages/demo/{FILE}")
        } else {
            app.create_remote(&remote, "generic", &files.url(), settings)
                .await;
            FILE.to_owned()
        };
        let complaints = Vec::new();
        Self {
            app,
            cell,
            body,
            files,
            _index: index,
            remote,
            path,
            complaints,
        }
    }

    /// Breaks, looks, heals, looks again.
    pub(super) async fn play(mut self) -> Result {
        let replies = self.both_clients().await;
        let got = [
            self.judge("first", &replies[0]),
            self.judge("follower", &replies[1]),
        ];
        self.judge_store().await;
        self.heal().await;
        Result {
            cell: self.cell,
            got,
            complaints: self.complaints,
        }
    }

    fn complain(&mut self, what: &str) {
        self.complaints.push(format!("{:?}: {what}", self.cell));
    }

    /// What both clients get. On a machine so slow that the follower came when all was over, they try again.
    async fn both_clients(&mut self) -> [Reply; 2] {
        let mut patience = Duration::from_millis(300);
        loop {
            let before = self.plain_requests();
            let replies = self.first_and_follower(patience).await;
            if self.plain_requests() - before <= 1 {
                return replies;
            }
            if patience > Duration::from_secs(10) {
                self.complain("two fetches for two clients at once");
                return replies;
            }
            self.app.evict(&self.remote, "all=true&forget=true").await;
            patience *= 4;
        }
    }

    /// Requests upstream that are no resumptions.
    fn plain_requests(&self) -> usize {
        let hits = self.files.all();
        hits.iter()
            .filter(|hit| hit.request.header("range").is_none())
            .count()
    }

    /// The first client, and a follower that joins while upstream still holds its head back.
    async fn first_and_follower(&self, patience: Duration) -> [Reply; 2] {
        let gate = Gate::closed();
        self.files
            .set(&format!("/{FILE}"), self.cell.broken().gate(0, &gate));
        // Counted before anything is polled: the first request may be under way on another thread at once.
        let before = self.files.all().len();
        let first = self.app.read(&self.remote, &self.path);
        let follower = async {
            if self.cell.trouble != Trouble::Refuse {
                let what = format!("the first request upstream of {:?}", self.cell);
                eventually(&what, || async { self.files.all().into_iter().nth(before) }).await;
            }
            let opening = async {
                tokio::time::sleep(patience).await;
                gate.open();
            };
            tokio::join!(self.app.read(&self.remote, &self.path), opening).0
        };
        let (first, follower) = tokio::join!(first, follower);
        [first, follower]
    }

    /// What a client got, in a word; complains where it may not have.
    fn judge(&mut self, who: &str, reply: &Reply) -> String {
        let right = reply.body == self.body;
        if reply.complete() {
            let word = match (right, self.cell.as_sent()) {
                (true, _) => "right",
                (false, true) => "as sent",
                (false, false) => "WRONG",
            };
            if word == "WRONG" {
                self.complain(&format!(
                    "{who}: a complete wrong body of {} bytes",
                    reply.body.len()
                ));
            }
            return word.into();
        }
        let expected: &[u16] = match self.cell.trouble {
            Trouble::Quota => &[429],
            Trouble::Stall => &[200, 502, 504],
            Trouble::Error | Trouble::Refuse => &[502],
            Trouble::Flip | Trouble::Truncate | Trouble::Reset | Trouble::Longer | Trouble::Shorter => {
                &[200, 502]
            }
        };
        if !expected.contains(&reply.status) {
            self.complain(&format!("{who}: status {} {}", reply.status, reply.text()));
        }
        if reply.status == 200 {
            "cut".into()
        } else {
            reply.status.to_string()
        }
    }

    /// Nothing wrong is stored.
    async fn judge_store(&mut self) {
        let objects = self.app.objects(&self.remote).await;
        let Some(object) = objects.iter().find(|object| object["path"] == self.path) else {
            return;
        };
        let right = object["digest"] == format!("sha256:{}", sha256(&self.body));
        if !right && !self.cell.as_sent() {
            self.complain(&format!("stored: {object}"));
        }
        if !right && self.cell.unproven() && object["expires_at"].is_null() {
            self.complain(&format!("counts as proven: {object}"));
        }
    }

    /// With a healthy upstream the right bytes come, however often one has to ask.
    async fn heal(&mut self) {
        self.files.set(&format!("/{FILE}"), self.cell.healthy());
        self.files.listen();
        if self.cell.as_sent() && !self.cell.unproven() {
            self.app.stored(&self.remote, &self.path).await;
            let query = format!("path={}&forget=true", self.path);
            self.app.evict(&self.remote, &query).await;
        }
        let (mut wrong, asked) = (Vec::new(), std::time::Instant::now());
        loop {
            let reply = self.app.read(&self.remote, &self.path).await;
            if reply.complete() && reply.body == self.body {
                break;
            }
            if reply.complete() && !self.cell.unproven() {
                wrong.push(reply.outcome().to_owned());
            }
            if asked.elapsed() > Duration::from_secs(40) {
                self.complain(&format!("does not heal: {} {}", reply.status, reply.outcome()));
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        if !wrong.is_empty() {
            self.complain(&format!("complete wrong bodies after healing: {wrong:?}"));
        }
    }
}
