//! Which addresses are public: an exact list of what is not, with every form in which IPv6 can carry an IPv4 address.
//!
//! Pure. It refuses to guess by "globally routable": documentation and benchmark ranges are in real use behind
//! split DNS and transparent proxies, and stay allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// A range of the list, and the word for it.
type Row<N> = (N, &'static str);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(first), prefix)
}

/// IPv4 ranges that no derived request may reach.
const V4: &[Row<Ipv4Net>] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "metadata"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// IPv6 ranges that no derived request may reach, whatever they carry.
const V6: &[Row<Ipv6Net>] = &[
    (v6([0; 8], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "local translation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique-local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// Why an address is not public, in one word; nothing for a public one.
pub(crate) fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

/// The address itself and those it stands for: the forms that a listed network may name.
pub(crate) fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let mapped = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    std::iter::once(address).chain(mapped)
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter()
        .find(|(range, _)| range.contains(&address))
        .map(|(_, why)| *why)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    V6.iter()
        .find(|(range, _)| range.contains(&address))
        .map(|(_, why)| *why)
        .or_else(|| carried(address).into_iter().flatten().find_map(forbidden_v4))
}

/// The IPv4 addresses that an IPv6 address leads to by mapping, translation or a tunnel.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 3] {
    let [.., high, low] = address.segments();
    let tail = Some(joined(high, low));
    let [first, second] = match address.segments() {
        // IPv4-compatible and -mapped (RFC 4291 §2.5.5), IPv4-translated (RFC 2765), NAT64 (RFC 6052 §2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [tail, None]
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, first, second, ..] => [Some(joined(first, second)), None],
        // Teredo (RFC 4380 §4): the server's address, and the client's with every bit inverted.
        [0x2001, 0, first, second, ..] => [Some(joined(first, second)), Some(joined(!high, !low))],
        _ => [None, None],
    };
    // ISATAP (RFC 5214 §6.1) lies in the lower half, under any prefix.
    let isatap = matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..]);
    [first, second, tail.filter(|_| isatap)]
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<&'static str> {
        forbidden(text.parse().unwrap())
    }

    #[test]
    fn every_range_is_refused_at_both_ends_and_open_beside_them() {
        for (inside, outside) in [
            (["0.0.0.0", "0.255.255.255"], ["1.0.0.0", "1.1.1.1"]),
            (["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            (
                ["100.64.0.0", "100.127.255.255"],
                ["100.63.255.255", "100.128.0.0"],
            ),
            (
                ["100.100.100.200", "100.100.100.200"],
                ["100.200.0.1", "99.0.0.1"],
            ),
            (["127.0.0.0", "127.255.255.255"], ["126.255.255.255", "128.0.0.0"]),
            (
                ["168.63.129.16", "168.63.129.16"],
                ["168.63.129.15", "168.63.129.17"],
            ),
            (
                ["169.254.0.0", "169.254.255.255"],
                ["169.253.255.255", "169.255.0.0"],
            ),
            (["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
            (["192.0.0.0", "192.0.0.255"], ["191.255.255.255", "192.0.1.0"]),
            (
                ["192.168.0.0", "192.168.255.255"],
                ["192.167.255.255", "192.169.0.0"],
            ),
            (["224.0.0.0", "255.255.255.255"], ["223.255.255.255", "8.8.8.8"]),
            (["fc00::", "fdff:ffff::1"], ["fbff::1", "2600::1"]),
            (["fe80::", "febf:ffff::1"], ["fe7f::1", "2a00::1"]),
            (["fec0::1", "feff::1"], ["2001:4860:4860::8888", "2620::1"]),
            (["ff00::", "ff02::1"], ["2606:4700::1111", "2001:db9::1"]),
        ] {
            for address in inside {
                assert!(why(address).is_some(), "{address}");
            }
            for address in outside {
                assert_eq!(why(address), None, "{address}");
            }
        }
    }

    #[test]
    fn an_address_inside_another_counts_as_itself() {
        for (refused, allowed) in [
            ("::ffff:127.0.0.1", "::ffff:8.8.8.8"),
            ("::127.0.0.1", "::8.8.8.8"),
            ("::ffff:0:10.1.2.3", "::ffff:0:8.8.8.8"),
            ("64:ff9b::169.254.169.254", "64:ff9b::8.8.8.8"),
            ("64:ff9b:1::1", "64:ff9b::808:808"),
            ("2002:7f00:1::", "2002:808:808::"),
            ("2002:a9fe:a9fe::1", "2002:808:808::1"),
            ("2001:0:808:808::f5ff:fffe", "2001:0:808:808::f7f7:f7f7"),
            ("2001:0:a00:1::f7f7:f7f7", "2001:0:101:101::f7f7:f7f7"),
            ("2600::5efe:10.0.0.1", "2600::5efe:8.8.8.8"),
            ("2600::200:5efe:192.168.0.1", "2600::200:5efe:1.1.1.1"),
            ("2002:7f00:1:0:0:5efe:808:808", "2002:808:808:0:0:5efe:808:808"),
            ("fd00:ec2::254", "2001:db8::1"),
            ("::1", "2600::1"),
            ("::", "::2.2.2.2"),
        ] {
            assert!(why(refused).is_some(), "{refused}");
            assert_eq!(why(allowed), None, "{allowed}");
        }
    }

    #[test]
    fn documentation_and_benchmark_ranges_stay_open() {
        for address in [
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.80",
            "198.18.0.9",
            "2001:db8::7",
            "3fff::1",
        ] {
            assert_eq!(why(address), None, "{address}");
        }
    }

    #[test]
    fn a_mapped_address_has_two_forms() {
        let forms = |text: &str| {
            forms(text.parse().unwrap())
                .map(|ip| ip.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(forms("10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(forms("::ffff:10.0.0.1"), ["::ffff:10.0.0.1", "10.0.0.1"]);
    }
}
