//! Where a server listens, as URLs, and the file in the data folder that tells the other commands.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use artifactapi_core::fault::{Fault, Kind};

/// The file of the data folder that says where its server is reached from this machine.
pub const ADDRESS_FILE: &str = "address";

/// An address as the root of URLs.
pub(crate) fn url(address: SocketAddr, secure: bool) -> String {
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Where this machine reaches a server that listens at these addresses.
pub(crate) fn local(addresses: &[SocketAddr], secure: bool) -> String {
    let first = addresses
        .first()
        .copied()
        .unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let ip = match first.ip() {
        everywhere if everywhere.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        one => one,
    };
    url(SocketAddr::new(ip, first.port()), secure)
}

/// Leaves the URL in the data folder; whoever reads the file sees all of it or none.
pub(crate) fn leave(folder: &Path, url: String) -> Result<(), Fault> {
    let (draft, file) = (folder.join("address.new"), folder.join(ADDRESS_FILE));
    let left = std::fs::write(&draft, url + "\n").and_then(|()| std::fs::rename(&draft, &file));
    left.map_err(|error| {
        Fault::ours(
            Kind::StoreUnavailable,
            "the address cannot be left in the data folder",
            error,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_the_loopback_address() {
        let local = |text: &str| local(&[text.parse().unwrap()], false);
        assert_eq!(local("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(local("[::]:8000"), "http://127.0.0.1:8000");
        assert_eq!(local("[::1]:8000"), "http://[::1]:8000");
        assert_eq!(local("192.0.2.7:81"), "http://192.0.2.7:81");
    }

    #[test]
    fn the_address_is_left_whole() {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path(), "http://127.0.0.1:1".into()).unwrap();
        leave(folder.path(), "https://127.0.0.1:2".into()).unwrap();
        let left = std::fs::read_to_string(folder.path().join(ADDRESS_FILE)).unwrap();
        assert_eq!(left, "https://127.0.0.1:2\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
