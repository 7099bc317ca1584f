//! Clients that can tell a complete body from a cut one: one on reqwest for most tests, one on a bare socket for
//! herds, slow readers and readers that leave.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::PATIENCE;

/// An answer as a client saw it.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Status; 0 when no head came at all.
    pub(crate) status: u16,
    /// Field lines.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// Body bytes that came.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end by HTTP's rules.
    pub(crate) whole: bool,
}

impl Reply {
    /// Sends a request and reads its answer as far as it goes.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let nothing = Self {
            status: 0,
            headers: reqwest::header::HeaderMap::new(),
            body: Vec::new(),
            whole: false,
        };
        let Ok(mut response) = request.timeout(PATIENCE).send().await else {
            return nothing;
        };
        let mut reply = Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            ..nothing
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => reply.body.extend_from_slice(&chunk),
                Ok(None) => reply.whole = true,
                Err(_) => return reply,
            }
            if reply.whole {
                return reply;
            }
        }
    }

    /// A field's value; empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(reqwest::header::HeaderValue::to_str);
        value.and_then(Result::ok).unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `detail` of `Cache-Status`: the outcome's word.
    pub(crate) fn outcome(&self) -> &str {
        let status = self.header("cache-status");
        status.split("detail=").nth(1).unwrap_or_default()
    }

    /// Whether it is a complete success.
    pub(crate) fn complete(&self) -> bool {
        self.whole && (200..300).contains(&self.status)
    }

    /// Panics unless the status is this one and the body is whole.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text(), self.headers);
        assert!(self.whole, "cut after {} bytes", self.body.len());
        self
    }

    /// Panics unless it is a whole 200 with exactly these bytes.
    #[track_caller]
    pub(crate) fn expect_bytes(self, bytes: &[u8]) -> Self {
        let reply = self.expect(200);
        assert_eq!(reply.body.len(), bytes.len(), "length of the body");
        assert!(reply.body == bytes, "the bytes are other ones");
        reply
    }
}

/// A GET on a bare socket.
pub(crate) struct Pull {
    stream: TcpStream,
    /// Bytes that came after the head.
    rest: Vec<u8>,
    /// Status.
    pub(crate) status: u16,
    /// Head, as it came.
    pub(crate) head: String,
    /// Body bytes that the head promises; `None` if it does not say.
    pub(crate) length: Option<u64>,
    /// Body bytes taken so far.
    pub(crate) taken: u64,
    /// When the first of them came.
    pub(crate) first: Option<Instant>,
}

impl Pull {
    /// Sends a request; the head is read before it returns.
    pub(crate) async fn get(address: SocketAddr, target: &str, fields: &[&str]) -> io::Result<Self> {
        let mut stream = Self::ask(address, target, fields).await?;
        let (head, rest) = read_head(&mut stream).await?;
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .find(|(given, _)| given.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
        };
        Ok(Self {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            length: field("content-length").and_then(|text| text.parse().ok()),
            stream,
            rest,
            head,
            taken: 0,
            first: None,
        })
    }

    /// Sends a request and gives the socket, unread.
    pub(crate) async fn ask(address: SocketAddr, target: &str, fields: &[&str]) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        let mut request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n");
        for field in fields {
            request.push_str(field);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    }

    /// The next bytes of the body, at most `most`; empty at its end. An error when it is cut.
    pub(crate) async fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let left = self.length.map_or(u64::MAX, |length| length - self.taken);
        let most = most.min(left as usize);
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.is_empty() && most > 0 {
            bytes = vec![0; most];
            let got = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await??;
            bytes.truncate(got);
        } else if bytes.len() > most {
            self.rest = bytes.split_off(most);
        }
        if bytes.is_empty() && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.taken += bytes.len() as u64;
        if !bytes.is_empty() {
            self.first.get_or_insert_with(Instant::now);
        }
        Ok(bytes)
    }

    /// Reads `count` bytes of the body, comparing them with `expected` from `offset` of the object on.
    pub(crate) async fn compare(&mut self, expected: &Bytes, offset: u64, count: u64) -> io::Result<()> {
        let end = self.taken + count;
        while self.taken < end {
            let at = (offset + self.taken) as usize;
            let piece = self.read(((end - self.taken) as usize).min(256 << 10)).await?;
            if piece != expected[at..at + piece.len()] {
                return Err(io::Error::other(format!("other bytes after {at}")));
            }
        }
        Ok(())
    }

    /// Reads the rest of the body, comparing it with `expected` from `offset` of the object on.
    pub(crate) async fn compare_rest(&mut self, expected: &Bytes, offset: u64) -> io::Result<()> {
        let length = self.length.ok_or_else(|| io::Error::other("no length"))?;
        self.compare(expected, offset, length - self.taken).await
    }

    /// As [`compare`](Self::compare), at `rate` bytes per second.
    pub(crate) async fn sip(&mut self, expected: &Bytes, count: u64, rate: u64) -> io::Result<()> {
        let end = self.taken + count;
        while self.taken < end {
            self.compare(expected, 0, (rate / 10).min(end - self.taken))
                .await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let mut piece = [0; 4096];
        let got = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await??;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..got]);
    }
}
