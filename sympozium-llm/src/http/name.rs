//! Which names are names of things inside. Pure.
//!
//! Names are a first line only: whatever a name is, the addresses behind it are checked before they are used.

/// Names and their subdomains that never belong to the internet.
const INSIDE: &[(&str, &str)] = &[
    ("localhost", "a name of this machine"),
    ("localdomain", "a name of this machine"),
    ("internal", "a name inside a private network or a cloud"),
    ("local", "a name inside a local network"),
    ("home.arpa", "a name inside a local network"),
    ("svc", "a name inside a cluster"),
    ("metadata.goog", METADATA),
    ("metadata.azure.com", METADATA),
    ("metadata.tencentyun.com", METADATA),
    ("metadata.packet.net", METADATA),
    ("metadata.platformequinix.com", METADATA),
];

const METADATA: &str = "a name of a cloud's metadata service";

/// Why nothing of this name may be asked for, as a phrase; `None` when its addresses decide.
///
/// `name` is as a parsed URL gives it: lower case, in ASCII form.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let name = canonical(name);
    let row = INSIDE.iter().find(|(inside, _)| {
        name.strip_suffix(inside)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    match row {
        Some((_, reason)) => Some(reason),
        // What such a name means depends on the search list of the machine that asks.
        None if !name.contains('.') => Some("a name that only means something inside a network"),
        None => None,
    }
}

/// The name without the dot which says that it is complete.
pub(super) fn canonical(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_things_inside_are_refused() {
        for name in [
            "localhost",
            "localhost.",
            "a.localhost",
            "a.b.localhost",
            "localhost.localdomain",
            "metadata.google.internal",
            "metadata.google.internal.",
            "instance-data.ec2.internal",
            "internal",
            "metadata.goog",
            "metadata.azure.com",
            "metadata",
            "kubernetes",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "printer.local",
            "router.home.arpa",
            "",
        ] {
            assert!(refusal(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn names_that_only_look_alike_are_left_to_their_addresses() {
        for name in [
            "notlocalhost.com",
            "localhost.example.com",
            "internal.example",
            "a-internal.org",
            "x.metadata.com",
        ] {
            assert_eq!(refusal(name), None, "{name}");
        }
    }
}
