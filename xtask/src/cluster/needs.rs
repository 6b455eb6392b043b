//! What a machine must have for a cluster, and what is installed when it lacks it.
//!
//! Entry: [`ensure`]. Packages are Debian's; anything else is asked for in a sentence.

use std::path::Path;

use anyhow::bail;

use super::request::Mode;
use crate::install;

/// A program, or a file, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    what: &'static str,
    package: &'static str,
}

const fn need(what: &'static str, package: &'static str) -> Need {
    Need { what, package }
}

/// For namespaces, mounts and links.
const ALWAYS: &[Need] = &[
    need("unshare", "util-linux"),
    need("nsenter", "util-linux"),
    need("mount", "mount"),
    need("ip", "iproute2"),
];

/// For a node.
const NODE: &[Need] = &[
    need("containerd", "containerd"),
    need("ctr", "containerd"),
    need("runc", "runc"),
    need("/usr/lib/cni/ptp", "containernetworking-plugins"),
    need("/usr/lib/cni/host-local", "containernetworking-plugins"),
    need("/usr/lib/cni/portmap", "containernetworking-plugins"),
    need("nft", "nftables"),
    need("iptables", "iptables"),
    need("conntrack", "conntrack"),
    need(BUSYBOX, "busybox-static"),
];

/// The shell of the test images. Debian's other package of this program is not static.
pub(super) const BUSYBOX: &str = "/bin/busybox";

/// Installs what is missing, or says what is in the way.
pub(super) fn ensure(mode: Mode) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("a test cluster is made of Linux namespaces, and this is another system");
    }
    if !install::is_root() {
        bail!("only root can make the namespaces of a test cluster");
    }
    let missing = packages(mode, |what| {
        if what.starts_with('/') {
            Path::new(what).exists()
        } else {
            install::find(what).is_some()
        }
    });
    if missing.is_empty() {
        return Ok(());
    }
    install::apt(&missing)
}

/// The packages of what is not there, each once.
fn packages(mode: Mode, is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needs = match mode {
        Mode::ControlPlane => ALWAYS.to_vec(),
        Mode::Full => [ALWAYS, NODE].concat(),
    };
    let mut packages: Vec<&str> = needs
        .into_iter()
        .filter(|need| !is_there(need.what))
        .map(|need| need.package)
        .collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_needs_no_container_runtime() {
        assert_eq!(
            packages(Mode::ControlPlane, |_| false),
            ["util-linux", "mount", "iproute2"]
        );
        assert!(packages(Mode::Full, |_| false).contains(&"containerd"));
    }

    #[test]
    fn what_is_there_is_not_installed() {
        assert_eq!(packages(Mode::Full, |_| true), [""; 0]);
        assert_eq!(packages(Mode::Full, |what| what != "nft"), ["nftables"]);
    }
}
