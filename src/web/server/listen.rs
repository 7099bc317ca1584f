//! Listeners and what is set on the sockets they accept.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::fd::AsFd;
use std::time::Duration;

use artifactapi_core::config::{Bind, Server};
use artifactapi_core::fault::{Fault, Kind};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 2048;

/// Binds what the settings name: each address of a name, or all interfaces.
pub(super) fn bind(server: &Server) -> Result<Vec<TcpListener>, Fault> {
    let listen = &server.listen;
    let refused = |error: &dyn std::fmt::Display| {
        Fault::ours(
            Kind::Internal,
            format!("cannot listen on {listen}: {error}"),
            error,
        )
    };
    let bind = server.bind().ok_or_else(|| refused(&"it is no address"))?;
    let listeners = match &bind.host {
        None => everywhere(bind.port).map(|listener| vec![listener]),
        Some(host) => named(host, &bind),
    }
    .map_err(|error| refused(&error))?;
    for listener in &listeners {
        // The standard library listens with a backlog of 128, which a herd of clients overruns.
        rustix::net::listen(listener, BACKLOG).map_err(|error| refused(&error))?;
    }
    Ok(listeners)
}

/// Where they listen; with port 0 the system chose the ports.
pub(super) fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Fault> {
    listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()
        .map_err(|error| Fault::ours(Kind::Internal, "a listener has no address", error))
}

/// One socket for both protocols where there is IPv6, else IPv4.
fn everywhere(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([0; 8], port)))
        .or_else(|_| TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))))
}

/// Every address of a name that can be bound, all on one port; an error if there is none.
fn named(host: &str, bind: &Bind) -> std::io::Result<Vec<TcpListener>> {
    let (mut listeners, mut port) = (Vec::new(), bind.port);
    let mut failure = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for mut address in (host, bind.port).to_socket_addrs()? {
        address.set_port(port);
        match TcpListener::bind(address) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) => failure = error,
        }
    }
    if listeners.is_empty() {
        Err(failure)
    } else {
        Ok(listeners)
    }
}

/// Lets the kernel drop a connection whose client takes no bytes for this long, whether it is gone or only silent.
pub(super) fn limit_unread(socket: impl AsFd, limit: Duration) {
    let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(socket, millis) {
        log::debug!("a connection has no limit for unread bytes: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(listen: &str) -> Server {
        Server {
            listen: listen.to_owned(),
            ..Server::default()
        }
    }

    #[test]
    fn a_free_port_is_taken_and_known() {
        let listeners = bind(&server("127.0.0.1:0")).unwrap();
        let addresses = addresses(&listeners).unwrap();
        assert!(addresses[0].port() > 0 && addresses[0].ip().is_loopback());
        let taken = bind(&server(&addresses[0].to_string())).unwrap_err();
        assert!(taken.what.contains(&addresses[0].to_string()), "{taken}");
    }

    #[test]
    fn every_address_of_a_name_has_the_same_port() {
        let listeners = bind(&server("localhost:0")).unwrap();
        let addresses = addresses(&listeners).unwrap();
        assert!(
            addresses
                .iter()
                .all(|address| address.port() == addresses[0].port())
        );
    }
}
