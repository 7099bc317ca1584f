//! The socket of a connection without TLS, with its outlet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
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

    /// Writes bytes that are followed by others at once, so that the kernel need not send a head in a packet of its own.
    fn poll_write_more(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            let send = || rustix::net::send(&self.tcp, bytes, flags).map_err(io::Error::from);
            match self.tcp.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
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
        if self.outlet.as_ref().is_some_and(Outlet::is_full) {
            return self.poll_write_more(cx, bytes);
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
