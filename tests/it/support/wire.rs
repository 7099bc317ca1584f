//! One scripted answer on a raw socket. No HTTP library: they refuse to lie.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::script::{Fault, Framing, Script};
use super::upstream::{Hit, Request};

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Close,
}

/// Reads one request head; `None` at the end of the connection.
pub(super) async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let mut first = lines.next().unwrap_or_default().split(' ');
    Ok(Some(Request {
        method: first.next().unwrap_or_default().into(),
        target: first.next().unwrap_or_default().into(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().into()))
            .collect(),
    }))
}

/// Plays a script as the answer to a request.
pub(super) async fn answer(stream: &mut TcpStream, script: &Script, hit: &Hit) -> io::Result<After> {
    for (_, gate) in script.gates.iter().filter(|(offset, _)| *offset == 0) {
        gate.pass().await;
    }
    tokio::time::sleep(script.delay).await;
    let request = &hit.request;
    let get = |name| request.header(name);
    if script.status == 200 && script.unchanged(get("if-none-match"), get("if-modified-since")) {
        write_head(stream, script, 304, &[]).await?;
        hit.end(true);
        return Ok(After::Keep);
    }
    let body = script.wire_body();
    let size = body.len() as u64;
    let ranged = script.status == 200 && script.ranges && script.same_version(get("if-range"));
    let span = match get("range")
        .filter(|_| ranged)
        .map(|range| parse_range(range, size))
    {
        None => 0..size,
        Some(Some(span)) => span,
        Some(None) => {
            let lines = [
                format!("content-range: bytes */{size}"),
                "content-length: 0".into(),
            ];
            write_head(stream, script, 416, &lines).await?;
            hit.end(true);
            return Ok(After::Keep);
        }
    };
    send(stream, script, hit, &body, span).await
}

/// The head for the span, then the span, unless the method is HEAD.
async fn send(
    stream: &mut TcpStream,
    script: &Script,
    hit: &Hit,
    body: &Bytes,
    span: Range<u64>,
) -> io::Result<After> {
    let partial = span != (0..body.len() as u64);
    let mut lines = Vec::new();
    if partial {
        let last = span.end - 1;
        lines.push(format!(
            "content-range: bytes {}-{last}/{}",
            span.start,
            body.len()
        ));
    }
    let framing = if partial { Framing::Length } else { script.framing };
    lines.push(match framing {
        Framing::Length => format!("content-length: {}", declared(script, &span)),
        Framing::Chunked => "transfer-encoding: chunked".into(),
        Framing::UntilClose => "connection: close".into(),
    });
    write_head(stream, script, if partial { 206 } else { script.status }, &lines).await?;
    if hit.request.method == "HEAD" {
        hit.end(true);
        return Ok(if framing == Framing::UntilClose {
            After::Close
        } else {
            After::Keep
        });
    }
    let mut sender = Sender {
        stream,
        script,
        hit,
        framing,
        passed: 0,
    };
    sender.run(body, span).await
}

/// The length that the head claims.
fn declared(script: &Script, span: &Range<u64>) -> u64 {
    let honest = span.end - span.start;
    match script.fault {
        Some(Fault::LieLonger(extra)) => honest + extra,
        Some(Fault::LieShorter(less)) => honest.saturating_sub(less),
        _ => honest,
    }
}

async fn write_head(
    stream: &mut TcpStream,
    script: &Script,
    status: u16,
    lines: &[String],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    let fields = script
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    let validators = [("etag", &script.etag), ("last-modified", &script.last_modified)];
    let validators = validators
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}: {value}")));
    for line in fields.chain(validators).chain(lines.iter().cloned()) {
        head.push_str(&line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await
}

/// The one range of `bytes=a-b`, `bytes=a-` or `bytes=-n`; `None` when it cannot be satisfied.
fn parse_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let span = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..(last + 1).min(size),
        (Ok(first), Err(_)) => first..size,
        (Err(_), Ok(tail)) => size.saturating_sub(tail)..size,
        (Err(_), Err(_)) => return None,
    };
    (span.start < span.end).then_some(span)
}

/// Sends a span piece by piece: framed, paced, gated, and broken where the script says so.
struct Sender<'a> {
    stream: &'a mut TcpStream,
    script: &'a Script,
    hit: &'a Hit,
    framing: Framing,
    passed: u64,
}

impl Sender<'_> {
    async fn run(&mut self, body: &Bytes, span: Range<u64>) -> io::Result<After> {
        let stop = self.script.stops_at();
        let mut at = span.start;
        let mut clock = (Instant::now(), 0_u64);
        while at < span.end {
            if let Some((_, fault)) = stop.filter(|(offset, _)| at >= *offset) {
                return self.fail(fault).await;
            }
            if self.pass_gates(at).await {
                clock = (Instant::now(), 0);
            }
            let end = self.piece_end(at, span.end, stop.map(|(offset, _)| offset));
            let last = end == span.end;
            self.write(&body.slice(at as usize..end as usize), last).await?;
            self.hit.sent(end - at);
            clock.1 += end - at;
            at = end;
            if let Some(rate) = self.script.pace {
                let due = clock.0 + Duration::from_secs_f64(clock.1 as f64 / rate as f64);
                tokio::time::sleep_until(due.into()).await;
            }
        }
        self.finish().await
    }

    /// Passes the gates up to `at`; whether there was one.
    async fn pass_gates(&mut self, at: u64) -> bool {
        let mut waited = false;
        for (offset, gate) in &self.script.gates {
            if *offset > self.passed && *offset <= at {
                gate.pass().await;
                waited = true;
            }
        }
        self.passed = self.passed.max(at);
        waited
    }

    /// Where the next piece ends: a slice of time, a gate, the fault, or the end.
    fn piece_end(&self, at: u64, end: u64, stop: Option<u64>) -> u64 {
        let size = self
            .script
            .pace
            .map_or(256 << 10, |rate| (rate / 50).clamp(512, 256 << 10));
        let gates = self.script.gates.iter().map(|(offset, _)| *offset);
        let cuts = gates.chain(stop).filter(|offset| *offset > at);
        cuts.fold((at + size).min(end), u64::min)
    }

    async fn write(&mut self, piece: &Bytes, last: bool) -> io::Result<()> {
        if self.framing != Framing::Chunked {
            return self.stream.write_all(piece).await;
        }
        let said = match self.script.fault {
            Some(Fault::LieLonger(extra)) if last => piece.len() as u64 + extra,
            Some(Fault::LieShorter(less)) if last => (piece.len() as u64).saturating_sub(less),
            _ => piece.len() as u64,
        };
        self.stream.write_all(format!("{said:x}\r\n").as_bytes()).await?;
        self.stream.write_all(piece).await?;
        self.stream.write_all(b"\r\n").await
    }

    async fn finish(&mut self) -> io::Result<After> {
        if self.framing == Framing::Chunked {
            self.stream.write_all(b"0\r\n\r\n").await?;
        }
        self.hit.end(true);
        let lied = matches!(
            self.script.fault,
            Some(Fault::LieLonger(_) | Fault::LieShorter(_))
        );
        if lied || self.framing == Framing::UntilClose {
            self.stream.shutdown().await?;
            return Ok(After::Close);
        }
        Ok(After::Keep)
    }

    async fn fail(&mut self, fault: Fault) -> io::Result<After> {
        match fault {
            Fault::Reset(_) => {
                // What is under way should arrive first, so that there is something to resume from.
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.stream.set_zero_linger()?;
            }
            Fault::Stall(_) => {
                let silence = tokio::time::timeout(Duration::from_mins(2), self.stream.read_u8());
                drop(silence.await);
            }
            Fault::Truncate(_) | Fault::Flip(_) | Fault::LieLonger(_) | Fault::LieShorter(_) => {
                self.stream.shutdown().await?;
            }
        }
        self.hit.end(false);
        Ok(After::Close)
    }
}
