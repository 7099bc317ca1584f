//! A network namespace of our own, without the tools of iproute2: two kinds of netlink messages are enough
//! (rtnetlink(7)).

use std::io;
use std::net::IpAddr;
use std::process::Command;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const MARK: &str = "IT_INSIDE_NAMESPACE";

/// `RTM_NEWLINK`, `RTM_NEWADDR`.
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_ACK`, and with `NLM_F_CREATE | NLM_F_EXCL`.
const ASK: u16 = 0x5;
const CREATE: u16 = 0x605;
/// The loopback device is the first of every namespace.
const LOOPBACK: u32 = 1;

/// Whether this process is the one inside.
pub(super) fn inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test of this name again inside a new namespace; panics unless it passes there.
pub(super) fn rerun(test: &str) {
    let ways: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    let works = |way: &&[&str]| {
        let tried = Command::new("unshare").args(*way).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let way = ways.into_iter().find(works);
    let way = way.expect("unshare --net must work: as root, or with user namespaces");
    let output = Command::new("unshare")
        .args(way)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("unshare can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("1 passed"), "the test did not run inside");
}

/// Brings the loopback device up and gives it these addresses.
pub(super) fn raise(addresses: &[&str]) -> io::Result<()> {
    // struct ifinfomsg: any family, flags and mask IFF_UP.
    let mut up = vec![0; 4];
    for word in [LOOPBACK, 1, 1] {
        up.extend_from_slice(&word.to_ne_bytes());
    }
    ask(NEW_LINK, ASK, &up)?;
    addresses
        .iter()
        .try_for_each(|address| add(address.parse().expect("an address")))
}

/// struct ifaddrmsg with one or two attributes.
fn add(address: IpAddr) -> io::Result<()> {
    /// `IFA_ADDRESS`, `IFA_LOCAL`.
    const ATTRIBUTES: [u16; 2] = [1, 2];
    /// `IFA_F_NODAD`: the address counts at once.
    const NODAD: u8 = 2;
    let (family, bytes) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let prefix = (bytes.len() * 8) as u8;
    let mut message = vec![family.as_raw() as u8, prefix, NODAD, 0];
    message.extend_from_slice(&LOOPBACK.to_ne_bytes());
    for attribute in ATTRIBUTES {
        message.extend_from_slice(&((bytes.len() + 4) as u16).to_ne_bytes());
        message.extend_from_slice(&attribute.to_ne_bytes());
        message.extend_from_slice(&bytes);
    }
    ask(NEW_ADDRESS, CREATE, &message)
}

/// Sends one message and reads the kernel's verdict.
fn ask(kind: u16, flags: u16, payload: &[u8]) -> io::Result<()> {
    // No protocol is protocol 0: NETLINK_ROUTE.
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut message = ((payload.len() + 16) as u32).to_ne_bytes().to_vec();
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(payload);
    send(&socket, &message, SendFlags::empty())?;
    let mut answer = [0_u8; 4096];
    recv(&socket, &mut answer, RecvFlags::empty())?;
    // struct nlmsgerr: after the header, zero or a negative error number.
    match i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes")) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
