//! Scripts: what the upstream double answers under a path, with the faults it commits on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By `Content-Length`.
    Length,
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What goes wrong. Offsets are those of the object, so that a resumed transfer meets them where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One byte is another.
    Flip(u64),
    /// The connection ends in order, too early.
    Truncate(u64),
    /// The connection is reset.
    Reset(u64),
    /// Nothing more comes, and the connection stays.
    Stall(u64),
    /// More bytes are promised than come; without framing, more come than there are.
    LieLonger(u64),
    /// Fewer bytes are promised than come; without framing, fewer come than there are.
    LieShorter(u64),
}

/// A door that the test opens.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everyone through, for good.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is open.
    pub(crate) async fn pass(&self) {
        let mut door = self.0.subscribe();
        door.wait_for(|open| *open)
            .await
            .expect("the gate outlives its waiters");
    }
}

/// What a path answers.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// HTTP status of a full answer.
    pub(crate) status: u16,
    /// The object.
    pub(crate) body: Bytes,
    /// Field lines besides framing.
    pub(crate) headers: Vec<(String, String)>,
    /// Strong validator, quoted.
    pub(crate) etag: Option<String>,
    /// `Last-Modified`.
    pub(crate) last_modified: Option<String>,
    /// How the end is told.
    pub(crate) framing: Framing,
    /// Bytes per second; unlimited without.
    pub(crate) pace: Option<u64>,
    /// What goes wrong.
    pub(crate) fault: Option<Fault>,
    /// Gates before these offsets of the object are sent; offset 0 holds the head back.
    pub(crate) gates: Vec<(u64, Gate)>,
    /// Time before the head.
    pub(crate) delay: Duration,
    /// Whether `Range` is answered.
    pub(crate) ranges: bool,
    /// Whether `If-Range` is taken notice of.
    pub(crate) if_range: bool,
    /// What the path answers once this script has begun an answer.
    pub(crate) then: Option<Box<Script>>,
}

impl Script {
    /// A healthy object with its length.
    pub(crate) fn new(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            headers: vec![("content-type".into(), "application/octet-stream".into())],
            etag: None,
            last_modified: None,
            framing: Framing::Length,
            pace: None,
            fault: None,
            gates: Vec::new(),
            delay: Duration::ZERO,
            ranges: true,
            if_range: true,
            then: None,
        }
    }

    /// A status with a short body.
    pub(crate) fn status(status: u16) -> Self {
        let text = format!("upstream says {status}\n");
        Self {
            status,
            ..Self::new(text)
        }
        .header("content-type", "text/plain")
    }

    /// A redirect.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// Sets a field line.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(field, _)| field != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the strong validator; quotes are added.
    pub(crate) fn etag(mut self, tag: &str) -> Self {
        self.etag = Some(format!("\"{tag}\""));
        self
    }

    /// Sets `Last-Modified`.
    pub(crate) fn last_modified(mut self, date: &str) -> Self {
        self.last_modified = Some(date.into());
        self
    }

    /// Sets how the end is told.
    pub(crate) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Sets the bytes per second.
    pub(crate) fn pace(mut self, rate: u64) -> Self {
        self.pace = Some(rate);
        self
    }

    /// Sets what goes wrong.
    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Waits at a gate before the byte at `offset`; at 0 before the head.
    pub(crate) fn gate(mut self, offset: u64, gate: &Gate) -> Self {
        self.gates.push((offset, gate.clone()));
        self.gates.sort_by_key(|(offset, _)| *offset);
        self
    }

    /// Waits before the head.
    pub(crate) fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Ignores `Range`.
    pub(crate) fn without_ranges(mut self) -> Self {
        self.ranges = false;
        self
    }

    /// Answers 206 whatever `If-Range` says.
    pub(crate) fn careless(mut self) -> Self {
        self.if_range = false;
        self
    }

    /// What the path answers after this script has begun one answer.
    pub(crate) fn then(mut self, next: Self) -> Self {
        self.then = Some(Box::new(next));
        self
    }

    /// Whether the validators of a request hold, so that 304 is right.
    pub(crate) fn unchanged(&self, if_none_match: Option<&str>, if_modified_since: Option<&str>) -> bool {
        match (if_none_match, &self.etag) {
            (Some(tags), Some(tag)) => tags.split(',').any(|given| given.trim() == tag),
            (Some(_), None) => false,
            (None, _) => if_modified_since.is_some() && if_modified_since == self.last_modified.as_deref(),
        }
    }

    /// Whether `If-Range` lets a range through.
    pub(crate) fn same_version(&self, if_range: Option<&str>) -> bool {
        let Some(given) = if_range else { return true };
        !self.if_range || Some(given) == self.etag.as_deref() || Some(given) == self.last_modified.as_deref()
    }

    /// The object as it goes over the wire, flipped where the fault says so.
    pub(crate) fn wire_body(&self) -> Bytes {
        match self.fault {
            Some(Fault::Flip(at)) => {
                let mut bytes = self.body.to_vec();
                let at = (at as usize).min(bytes.len() - 1);
                bytes[at] ^= 0x40;
                bytes.into()
            }
            Some(Fault::LieLonger(extra)) if self.framing == Framing::UntilClose => {
                let mut bytes = self.body.to_vec();
                bytes.resize(bytes.len() + extra as usize, b'+');
                bytes.into()
            }
            Some(Fault::LieShorter(less)) if self.framing == Framing::UntilClose => {
                self.body.slice(..self.body.len() - less as usize)
            }
            _ => self.body.clone(),
        }
    }

    /// Where the transfer stops, and how, if it does.
    pub(crate) fn stops_at(&self) -> Option<(u64, Fault)> {
        match self.fault {
            Some(fault @ (Fault::Truncate(at) | Fault::Reset(at) | Fault::Stall(at))) => Some((at, fault)),
            _ => None,
        }
    }
}
