//! The socket of a connection without TLS, with its outlet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Outlet;

/// A connection that sends what lies in its outlet when it is flushed.
pub(crate) struct Socket {
    tcp: TcpStream,
    outlet: Option<Outlet>,
}

impl Socket {
    /// A connection; `direct` if it shall have an outlet.
    pub(crate) fn new(tcp: TcpStream, direct: bool) -> Self {
        Self {
            tcp,
            outlet: direct.then(Outlet::default),
        }
    }

    /// The outlet, for the connection's requests.
    pub(crate) fn outlet(&self) -> Option<Outlet> {
        self.outlet.clone()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        while let Some(outlet) = &self.outlet
            && let Some(written) = outlet.write_head(&self.tcp, bytes)
        {
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_write_ready(cx))?;
                }
                done => return Poll::Ready(done),
            }
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.outlet {
            Some(outlet) => outlet.poll_send(&self.tcp, cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
