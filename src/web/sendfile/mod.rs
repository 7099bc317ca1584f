//! Sending past the buffer: bodies that are whole at hand, in a file or in memory, go to the socket without a copy into
//! the connection's write buffer; those of files by `sendfile(2)`.
//!
//! A body of this kind yields nothing. When it is polled it puts its [`Parcel`] into the connection's [`Outlet`] and
//! waits; the socket sends the parcel when it is flushed, which is after the head. For HTTP/1 without TLS only: other
//! connections have no outlet, and stream.

mod parcel;
mod socket;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::net::TcpStream;

pub(crate) use self::parcel::Parcel;
pub(crate) use self::socket::Socket;

/// Where a body hands its parcel to the socket of its connection. HTTP/1 answers one request after the other, so that
/// there is one at most.
#[derive(Clone, Default)]
pub(crate) struct Outlet(Rc<RefCell<Load>>);

#[derive(Default)]
enum Load {
    #[default]
    Empty,
    Full(Parcel),
    Sent,
}

impl Outlet {
    /// Writes a head, and with it what waits in memory; one before a file goes with the first bytes of that. `None` if
    /// nothing waits.
    fn write_head(&self, socket: &TcpStream, head: &[u8]) -> Option<io::Result<usize>> {
        match &mut *self.0.borrow_mut() {
            Load::Full(parcel) => Some(parcel.write_head(socket, head)),
            Load::Empty | Load::Sent => None,
        }
    }

    /// Sends what waits, as far as the socket takes it.
    fn poll_send(&self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut load = self.0.borrow_mut();
        if let Load::Full(parcel) = &mut *load {
            ready!(parcel.poll_send(socket, cx))?;
            *load = Load::Sent;
            // The body is to hear of it: it belongs to the same task.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }
}

/// A body that is sent by the socket itself. Its length must be told as that of an unchunked one.
pub(crate) struct Direct {
    outlet: Outlet,
    parcel: Option<Parcel>,
}

impl Direct {
    /// Sends a parcel through the outlet of the connection.
    pub(crate) fn new(outlet: Outlet, parcel: Parcel) -> Self {
        Self {
            outlet,
            parcel: Some(parcel),
        }
    }
}

impl MessageBody for Direct {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let parcel = self.parcel.take();
        let mut load = self.outlet.0.borrow_mut();
        if let Some(parcel) = parcel {
            *load = Load::Full(parcel);
        }
        match *load {
            // The connection flushes its socket after every poll of a body, and the socket wakes it.
            Load::Full(_) => Poll::Pending,
            Load::Sent | Load::Empty => Poll::Ready(None),
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        *self.outlet.0.borrow_mut() = Load::Empty;
    }
}
