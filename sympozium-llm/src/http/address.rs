//! Which addresses belong to the public internet. Pure.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

/// Addresses at which clouds hand out credentials to whoever asks.
const METADATA: &str = "an address of a cloud's metadata service";

/// Not the internet. The first row that holds an address names the reason, so single addresses come first.
const V4: &[(Ipv4Net, &str)] = &[
    (v4(169, 254, 169, 254, 32), METADATA),
    // Credentials of ECS tasks and of EKS pods.
    (v4(169, 254, 170, 2, 32), METADATA),
    (v4(169, 254, 170, 23, 32), METADATA),
    (v4(100, 100, 100, 200, 32), METADATA),
    (v4(192, 0, 0, 192, 32), METADATA),
    // Azure's is a public address by number, but only the machine's own host answers there.
    (v4(168, 63, 129, 16, 32), METADATA),
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "an address shared behind a carrier's NAT"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "a reserved address"),
    (v4(192, 0, 2, 0, 24), "a documentation address"),
    (v4(192, 88, 99, 0, 24), "a reserved address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "a benchmark address"),
    (v4(198, 51, 100, 0, 24), "a documentation address"),
    (v4(203, 0, 113, 0, 24), "a documentation address"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(255, 255, 255, 255, 32), "the broadcast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
];

/// As [`V4`]. What is not in 2000::/3 is not in public use at all; the rows for it only give better reasons.
const V6: &[(Ipv6Net, &str)] = &[
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), METADATA),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128), METADATA),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), METADATA),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (
        v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
        "an IPv4 address in a form no longer in use",
    ),
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        "an address of a local translation to IPv4",
    ),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a unique local address"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a site-local address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "a Teredo address"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "a reserved address"),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        "a documentation address",
    ),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "a 6to4 address"),
    (v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), "a reserved address"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "a documentation address"),
];

/// What is in public use.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// `::ffff:a.b.c.d`: the same as the IPv4 address.
const MAPPED: Ipv6Net = v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
/// NAT64: on a network without IPv4, every IPv4 host has such an address.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Why nothing may be connected to at this address, as a phrase (`a private address`); `None` for a public one.
///
/// An IPv6 address that stands for an IPv4 address is what that one is.
///
/// ```
/// # use sympozium_llm::http::refusal;
/// assert_eq!(refusal("10.0.0.1".parse().unwrap()), Some("a private address"));
/// assert_eq!(refusal("::ffff:127.0.0.1".parse().unwrap()), Some("a loopback address"));
/// assert_eq!(refusal("8.8.8.8".parse().unwrap()), None);
/// ```
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refusal_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some((inner, way)) => refusal_v4(inner).or_else(|| match way {
                Way::Instead => None,
                Way::Within => refusal_v6(address),
            }),
            None => refusal_v6(address),
        },
    }
}

/// Whether credentials are handed out there. Not even a name that a person listed may lead to one of these.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    refusal(address) == Some(METADATA)
}

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter()
        .find(|(net, _)| net.contains(&address))
        .map(|(_, reason)| *reason)
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    V6.iter()
        .find(|(net, _)| net.contains(&address))
        .map(|(_, reason)| *reason)
        .or_else(|| (!GLOBAL_V6.contains(&address)).then_some("a reserved address"))
}

/// How an IPv6 address stands for an IPv4 address.
#[derive(Clone, Copy)]
enum Way {
    /// Wholly: only the IPv4 address counts.
    Instead,
    /// As the end of a tunnel inside an IPv6 network: both count.
    Within,
}

/// The IPv4 address that packets to this one end at.
fn embedded(address: Ipv6Addr) -> Option<(Ipv4Addr, Way)> {
    let [.., a, b, c, d] = address.octets();
    let inner = Ipv4Addr::new(a, b, c, d);
    if MAPPED.contains(&address) || NAT64.contains(&address) {
        return Some((inner, Way::Instead));
    }
    // ISATAP.
    let is_tunnel = matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, _, _]);
    is_tunnel.then_some((inner, Way::Within))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            assert_eq!(refusal(text.parse().unwrap()), *expected, "{text}");
        }
    }

    #[test]
    fn ipv4_addresses_that_are_not_the_internet_are_refused() {
        check(&[
            ("0.0.0.0", Some("an unspecified address")),
            ("0.1.2.3", Some("an unspecified address")),
            ("10.0.0.0", Some("a private address")),
            ("10.255.255.255", Some("a private address")),
            ("100.64.0.1", Some("an address shared behind a carrier's NAT")),
            (
                "100.127.255.255",
                Some("an address shared behind a carrier's NAT"),
            ),
            ("100.100.100.200", Some(METADATA)),
            ("127.0.0.1", Some("a loopback address")),
            ("127.255.255.254", Some("a loopback address")),
            ("168.63.129.16", Some(METADATA)),
            ("169.254.0.1", Some("a link-local address")),
            ("169.254.169.254", Some(METADATA)),
            ("169.254.170.2", Some(METADATA)),
            ("172.16.0.1", Some("a private address")),
            ("172.31.255.255", Some("a private address")),
            ("192.0.0.1", Some("a reserved address")),
            ("192.0.0.192", Some(METADATA)),
            ("192.0.2.1", Some("a documentation address")),
            ("192.88.99.1", Some("a reserved address")),
            ("192.168.0.1", Some("a private address")),
            ("198.18.0.1", Some("a benchmark address")),
            ("198.19.255.255", Some("a benchmark address")),
            ("198.51.100.1", Some("a documentation address")),
            ("203.0.113.1", Some("a documentation address")),
            ("224.0.0.1", Some("a multicast address")),
            ("239.255.255.255", Some("a multicast address")),
            ("240.0.0.1", Some("a reserved address")),
            ("255.255.255.255", Some("the broadcast address")),
        ]);
    }

    #[test]
    fn the_neighbours_of_refused_ipv4_ranges_are_public() {
        check(
            &[
                "1.0.0.0",
                "8.8.8.8",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "168.63.129.15",
                "168.63.129.17",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.0.3.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "198.51.99.255",
                "198.51.101.0",
                "203.0.112.255",
                "203.0.114.0",
                "223.255.255.255",
            ]
            .map(|text| (text, None)),
        );
    }

    #[test]
    fn ipv6_addresses_that_are_not_the_internet_are_refused() {
        check(&[
            ("::", Some("an unspecified address")),
            ("::1", Some("a loopback address")),
            ("::2", Some("an IPv4 address in a form no longer in use")),
            (
                "64:ff9b:1::a00:1",
                Some("an address of a local translation to IPv4"),
            ),
            ("100::1", Some("a reserved address")),
            ("1fff::1", Some("a reserved address")),
            ("2001::1", Some("a Teredo address")),
            ("2001:2::1", Some("a reserved address")),
            ("2001:10::1", Some("a reserved address")),
            ("2001:20::1", Some("a reserved address")),
            ("2001:db8::1", Some("a documentation address")),
            ("3ffe::1", Some("a reserved address")),
            ("3fff::1", Some("a documentation address")),
            ("3fff:fff::1", Some("a documentation address")),
            ("4000::1", Some("a reserved address")),
            ("5f00::1", Some("a reserved address")),
            ("fc00::1", Some("a unique local address")),
            ("fd00::1", Some("a unique local address")),
            ("fd00:ec2::254", Some(METADATA)),
            ("fd20:ce::254", Some(METADATA)),
            ("fe80::1", Some("a link-local address")),
            ("febf::1", Some("a link-local address")),
            ("fec0::1", Some("a site-local address")),
            ("ff02::1", Some("a multicast address")),
        ]);
    }

    #[test]
    fn public_ipv6_addresses_pass() {
        check(
            &[
                "2000::1",
                "2001:200::1",
                "2001:4860:4860::8888",
                "2606:4700::1111",
                "2a00::1",
                "3fff:1000::1",
            ]
            .map(|text| (text, None)),
        );
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_what_it_is() {
        check(&[
            ("::ffff:127.0.0.1", Some("a loopback address")),
            ("::ffff:10.0.0.1", Some("a private address")),
            ("::ffff:169.254.169.254", Some(METADATA)),
            ("::ffff:8.8.8.8", None),
            ("::127.0.0.1", Some("an IPv4 address in a form no longer in use")),
            ("::8.8.8.8", Some("an IPv4 address in a form no longer in use")),
            ("::ffff:0:127.0.0.1", Some("a reserved address")),
            ("64:ff9b::127.0.0.1", Some("a loopback address")),
            ("64:ff9b::169.254.169.254", Some(METADATA)),
            ("64:ff9b::8.8.8.8", None),
            ("2002:7f00:1::", Some("a 6to4 address")),
            ("2002:808:808::1", Some("a 6to4 address")),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some("a Teredo address")),
            ("2a00::5efe:127.0.0.1", Some("a loopback address")),
            ("2a00::200:5efe:10.0.0.1", Some("a private address")),
            ("2a00::5efe:8.8.8.8", None),
            ("fd00::5efe:8.8.8.8", Some("a unique local address")),
        ]);
    }
}
