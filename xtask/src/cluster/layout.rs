//! The addresses and paths inside a cluster's namespaces. They are the same in every cluster, for none sees another.
//!
//! The files in `test/cluster/config` hold the same values; a test compares them.

/// The node, and the API server. It belongs to a bridge without ports: the API refuses loopback addresses as endpoints.
pub(super) const NODE_ADDRESS: &str = "10.250.0.1";
/// The only node that runs anything.
pub(super) const NODE_NAME: &str = "node1";
/// The bridge.
pub(super) const NODE_LINK: &str = "node0";
/// Where the API server listens.
pub(super) const API_PORT: u16 = 6443;
/// All pods that could ever be.
pub(super) const POD_NETWORK: &str = "10.244.0.0/16";
/// Pods that kwok invents.
pub(super) const FAKE_POD_NETWORK: &str = "10.245.0.0/16";
/// All Services.
pub(super) const SERVICE_NETWORK: &str = "10.96.0.0/16";
/// The Service `default/kubernetes`, the first address of the range.
pub(super) const API_SERVICE: &str = "10.96.0.1";
/// Where CoreDNS says whether it is ready.
pub(super) const DNS_READY: &str = "127.0.0.1:10054";
/// Where kwok says whether it is well.
pub(super) const KWOK_SERVER: &str = "127.0.0.1:10247";
/// Where etcd serves.
pub(super) const ETCD_SERVER: &str = "127.0.0.1:2379";

/// The cluster's folder, mounted here.
pub(super) const HERE: &str = "/run/cluster";
/// The folder of the programs, mounted here.
pub(super) const PROGRAMS: &str = "/run/programs";
/// Debian's containerd and this cluster's, told apart by the namespace they run in.
pub(super) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// Files for [`HERE`]`/config`, by name.
pub(super) const CONFIG_FILES: &[(&str, &str)] = &[
    (
        "containerd.toml",
        include_str!("../../../test/cluster/config/containerd.toml"),
    ),
    (
        "cni/10-pods.conflist",
        include_str!("../../../test/cluster/config/pods.conflist"),
    ),
    (
        "kubelet.yaml",
        include_str!("../../../test/cluster/config/kubelet.yaml"),
    ),
    (
        "kube-proxy.yaml",
        include_str!("../../../test/cluster/config/kube-proxy.yaml"),
    ),
    (
        "resolv.conf",
        include_str!("../../../test/cluster/config/resolv.conf"),
    ),
    ("Corefile", include_str!("../../../test/cluster/config/Corefile")),
    (
        "base.yaml",
        include_str!("../../../test/cluster/config/base.yaml"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> &'static str {
        CONFIG_FILES.iter().find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn the_files_say_what_the_constants_say() {
        for (name, words) in [
            ("containerd.toml", vec![CONTAINERD_SOCKET]),
            ("kubelet.yaml", vec![NODE_ADDRESS, CONTAINERD_SOCKET]),
            ("kube-proxy.yaml", vec![NODE_ADDRESS, NODE_NAME, POD_NETWORK]),
            ("Corefile", vec![NODE_ADDRESS, DNS_READY]),
            ("base.yaml", vec![NODE_ADDRESS]),
        ] {
            for word in words {
                assert!(file(name).contains(word), "{name} does not hold {word}");
            }
        }
    }

    #[test]
    fn pods_get_addresses_that_policies_are_enforced_for() {
        let node = file("cni/10-pods.conflist")
            .split('"')
            .find(|word| word.ends_with("/24"))
            .unwrap();
        assert!(node.starts_with("10.244."), "{node} is not within {POD_NETWORK}");
    }

    #[test]
    fn the_kubelet_asks_the_dns_service() {
        let resolver = file("resolv.conf").trim().trim_start_matches("nameserver ");
        assert!(file("kubelet.yaml").contains(resolver));
        assert!(file("base.yaml").contains(&format!("clusterIP: {resolver}")));
    }
}
