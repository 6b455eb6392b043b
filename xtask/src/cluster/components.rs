//! How each program of a cluster is called.
//!
//! Pure: an [`Order`] in, words out. Entry: [`Component::arguments`].

use serde::{Deserialize, Serialize};

use super::layout::{
    API_PORT, CONTAINERD_SOCKET, ETCD_SERVER, FAKE_POD_NETWORK, HERE, KWOK_SERVER, NODE_ADDRESS, NODE_NAME,
    POD_NETWORK, PROGRAMS, SERVICE_NETWORK,
};

/// A program that runs as long as the cluster does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Component {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    KubeScheduler,
    Containerd,
    Kubelet,
    KubeProxy,
    Netpol,
    Coredns,
    Kwok,
}

impl Component {
    /// The program's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Netpol => "netpol",
            Self::Coredns => "coredns",
            Self::Kwok => "kwok",
        }
    }

    /// What to call. Only containerd is Debian's.
    pub(super) fn program(self) -> String {
        match self {
            Self::Containerd => self.name().to_owned(),
            Self::Etcd
            | Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler
            | Self::Kubelet
            | Self::KubeProxy
            | Self::Netpol
            | Self::Coredns
            | Self::Kwok => format!("{PROGRAMS}/{}", self.name()),
        }
    }

    /// The words behind the program. `cgroup` is the pods' own, without a leading `/`.
    pub(super) fn arguments(self, cgroup: &str) -> Vec<String> {
        match self {
            Self::Etcd => etcd(),
            Self::KubeApiserver => apiserver(),
            Self::KubeControllerManager => controller_manager(),
            Self::KubeScheduler => scheduler(),
            Self::Containerd => vec![format!("--config={HERE}/config/containerd.toml")],
            Self::Kubelet => kubelet(cgroup),
            Self::KubeProxy => vec![format!("--config={HERE}/config/kube-proxy.yaml")],
            Self::Netpol => vec![
                format!("--kubeconfig={HERE}/pki/admin.kubeconfig"),
                format!("--pod-network={POD_NETWORK}"),
            ],
            Self::Coredns => vec![format!("{HERE}/config/Corefile")],
            Self::Kwok => kwok(),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn etcd() -> Vec<String> {
    let mut all = words(&[
        "--name=only",
        // The data need not survive the machine.
        "--unsafe-no-fsync",
        "--quota-backend-bytes=4294967296",
        "--log-level=warn",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=only=http://127.0.0.1:2380",
    ]);
    all.push(format!("--data-dir={HERE}/etcd"));
    all.push(format!("--listen-client-urls=http://{ETCD_SERVER}"));
    all.push(format!("--advertise-client-urls=http://{ETCD_SERVER}"));
    all
}

fn apiserver() -> Vec<String> {
    let mut all = words(&[
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]);
    all.push(format!("--etcd-servers=http://{ETCD_SERVER}"));
    all.push(format!("--bind-address={NODE_ADDRESS}"));
    all.push(format!("--advertise-address={NODE_ADDRESS}"));
    all.push(format!("--secure-port={API_PORT}"));
    all.push(format!("--service-cluster-ip-range={SERVICE_NETWORK}"));
    for (flag, file) in [
        ("tls-cert-file", "apiserver.crt"),
        ("tls-private-key-file", "apiserver.key"),
        ("client-ca-file", "ca.crt"),
        ("service-account-key-file", "sa.pub"),
        ("service-account-signing-key-file", "sa.key"),
        ("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
        ("kubelet-client-key", "apiserver-kubelet-client.key"),
        ("kubelet-certificate-authority", "ca.crt"),
        ("requestheader-client-ca-file", "ca.crt"),
        ("proxy-client-cert-file", "front-proxy-client.crt"),
        ("proxy-client-key-file", "front-proxy-client.key"),
    ] {
        all.push(format!("--{flag}={HERE}/pki/{file}"));
    }
    all
}

/// What the controller manager and the scheduler have in common.
fn controller(component: Component) -> Vec<String> {
    let mut all = words(&[
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        // The default of 20 requests a second would be what a test of many Jobs measures.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]);
    for flag in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        all.push(format!("--{flag}={HERE}/pki/{}.kubeconfig", component.name()));
    }
    all
}

fn controller_manager() -> Vec<String> {
    let mut all = controller(Component::KubeControllerManager);
    all.extend(words(&[
        "--use-service-account-credentials=true",
        "--concurrent-job-syncs=20",
        "--allocate-node-cidrs=true",
        "--node-cidr-mask-size=24",
    ]));
    all.push(format!("--cluster-cidr={POD_NETWORK}"));
    all.push(format!("--service-cluster-ip-range={SERVICE_NETWORK}"));
    for (flag, file) in [
        ("service-account-private-key-file", "sa.key"),
        ("root-ca-file", "ca.crt"),
        ("cluster-signing-cert-file", "ca.crt"),
        ("cluster-signing-key-file", "ca.key"),
    ] {
        all.push(format!("--{flag}={HERE}/pki/{file}"));
    }
    all
}

fn scheduler() -> Vec<String> {
    controller(Component::KubeScheduler)
}

fn kubelet(cgroup: &str) -> Vec<String> {
    vec![
        format!("--config={HERE}/config/kubelet.yaml"),
        format!("--kubeconfig={HERE}/pki/kubelet.kubeconfig"),
        format!("--hostname-override={NODE_NAME}"),
        format!("--node-ip={NODE_ADDRESS}"),
        format!("--cgroup-root=/{cgroup}"),
    ]
}

fn kwok() -> Vec<String> {
    let mut all = words(&[
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
    ]);
    all.push(format!("--kubeconfig={HERE}/pki/admin.kubeconfig"));
    all.push(format!("--cidr={FAKE_POD_NETWORK}"));
    all.push(format!("--node-ip={NODE_ADDRESS}"));
    all.push(format!("--server-address={KWOK_SERVER}"));
    all
}

/// The words of a `ctr` that speaks to the cluster's containerd about what pods use.
pub(super) fn ctr(rest: &[&str]) -> Vec<String> {
    let mut all = words(&["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io"]);
    all.extend(words(rest));
    all
}

/// The words of a `kubectl` inside the cluster's namespaces, as the administrator.
pub(super) fn kubectl(rest: &[&str]) -> Vec<String> {
    let mut all = vec![
        format!("{PROGRAMS}/kubectl"),
        format!("--kubeconfig={HERE}/pki/admin.kubeconfig"),
        "--request-timeout=5s".to_owned(),
    ];
    all.extend(words(rest));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Component; 10] = [
        Component::Etcd,
        Component::KubeApiserver,
        Component::KubeControllerManager,
        Component::KubeScheduler,
        Component::Containerd,
        Component::Kubelet,
        Component::KubeProxy,
        Component::Netpol,
        Component::Coredns,
        Component::Kwok,
    ];

    #[test]
    fn every_path_lies_where_the_cluster_is_mounted() {
        for component in ALL {
            for word in component.arguments("pods") {
                let path = word.rsplit('=').next().unwrap();
                if path.starts_with('/') && path != "/pods" {
                    assert!(path.starts_with(HERE), "{word} of {}", component.name());
                }
            }
        }
    }

    #[test]
    fn a_name_in_files_is_the_name_of_the_program() {
        for component in ALL {
            let written = serde_json::to_value(component).unwrap();
            assert_eq!(written, component.name());
        }
    }

    #[test]
    fn pods_are_below_the_cluster_s_own_cgroup() {
        let kubelet = Component::Kubelet.arguments("sympozium-x");
        assert!(kubelet.contains(&"--cgroup-root=/sympozium-x".to_owned()));
    }

    #[test]
    fn nothing_listens_on_every_address() {
        for component in ALL {
            for word in component.arguments("pods") {
                assert!(!word.contains("0.0.0.0:"), "{word}");
            }
        }
    }
}
