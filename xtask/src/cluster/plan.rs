//! In which order a cluster comes up.
//!
//! Pure: a mode in, steps out. Programs are started as early as they can use the wait, and awaited as late as somebody
//! needs them. Entry: [`steps`].

use super::components::{Component, ctr, kubectl};
use super::layout::{DNS_READY, ETCD_SERVER, HERE, KWOK_SERVER, NODE_NAME};
use super::request::Mode;

/// One step of the first process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Starts a program and goes on.
    Start(Component),
    /// Goes on when a condition holds.
    Await(Condition),
}

/// Something that comes true some time after its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// For the person who waits: "… does not …" is what did not happen.
    pub(super) what: &'static str,
    pub(super) probe: Probe,
}

/// How to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    /// The program ends with 0.
    Succeeds(Vec<String>),
    /// A GET is answered with 200.
    Answers {
        address: &'static str,
        path: &'static str,
    },
}

fn succeeds(what: &'static str, words: Vec<String>) -> Step {
    Step::Await(Condition {
        what,
        probe: Probe::Succeeds(words),
    })
}

fn answers(what: &'static str, address: &'static str, path: &'static str) -> Step {
    Step::Await(Condition {
        what,
        probe: Probe::Answers { address, path },
    })
}

/// All steps, in order.
pub(super) fn steps(mode: Mode) -> Vec<Step> {
    match mode {
        Mode::ControlPlane => [start_storage(), start_api(), finish_api()].concat(),
        Mode::Full => [
            vec![Step::Start(Component::Containerd)],
            start_storage(),
            start_api(),
            import_images(),
            finish_api(),
            start_node(),
            finish_node(),
        ]
        .concat(),
    }
}

fn start_storage() -> Vec<Step> {
    vec![
        Step::Start(Component::Etcd),
        answers("etcd is healthy", ETCD_SERVER, "/health"),
    ]
}

fn start_api() -> Vec<Step> {
    vec![Step::Start(Component::KubeApiserver)]
}

/// While the API server starts there is time for it.
fn import_images() -> Vec<Step> {
    let import = |file: &str| ctr(&["images", "import", &format!("{HERE}/images/{file}")]);
    vec![
        succeeds("containerd answers", ctr(&["version"])),
        succeeds("the pause image is imported", import("pause.tar")),
        succeeds("the shell's image is imported", import("busybox.tar")),
    ]
}

fn finish_api() -> Vec<Step> {
    vec![
        succeeds("the API server is ready", kubectl(&["get", "--raw=/readyz"])),
        Step::Start(Component::KubeControllerManager),
        succeeds(
            "the controller manager makes ServiceAccounts",
            kubectl(&["get", "serviceaccount", "default", "--namespace=default"]),
        ),
    ]
}

fn start_node() -> Vec<Step> {
    let base = format!("--filename={HERE}/config/base.yaml");
    vec![
        Step::Start(Component::KubeScheduler),
        // Before the kubelet: no pod may run for a moment without its policies.
        Step::Start(Component::Netpol),
        succeeds(
            "policies are enforced",
            vec![
                "nft".into(),
                "list".into(),
                "table".into(),
                "ip".into(),
                "netpol".into(),
            ],
        ),
        Step::Start(Component::Kubelet),
        Step::Start(Component::Coredns),
        Step::Start(Component::Kwok),
        succeeds("the base objects are applied", kubectl(&["apply", &base])),
        Step::Start(Component::KubeProxy),
    ]
}

fn finish_node() -> Vec<Step> {
    let node = format!("node/{NODE_NAME}");
    vec![
        succeeds(
            "the node is ready",
            kubectl(&["wait", "--for=condition=Ready", "--timeout=4s", &node]),
        ),
        answers("names are resolved", DNS_READY, "/ready"),
        answers("kwok is well", KWOK_SERVER, "/healthz"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(mode: Mode) -> Vec<Component> {
        let component = |step| match step {
            Step::Start(component) => Some(component),
            Step::Await(_) => None,
        };
        steps(mode).into_iter().filter_map(component).collect()
    }

    fn position(wanted: &Step) -> usize {
        steps(Mode::Full).iter().position(|step| step == wanted).unwrap()
    }

    #[test]
    fn a_control_plane_alone_has_three_programs() {
        assert_eq!(
            started(Mode::ControlPlane),
            [
                Component::Etcd,
                Component::KubeApiserver,
                Component::KubeControllerManager
            ]
        );
    }

    #[test]
    fn every_program_is_started_once() {
        let mut programs = started(Mode::Full);
        programs.sort_unstable();
        assert_eq!(programs.len(), 10);
        programs.dedup();
        assert_eq!(programs.len(), 10);
    }

    #[test]
    fn no_pod_runs_before_policies_are_enforced() {
        let enforced = steps(Mode::Full)
            .iter()
            .position(
                |step| matches!(step, Step::Await(condition) if condition.what == "policies are enforced"),
            )
            .unwrap();
        assert!(position(&Step::Start(Component::Netpol)) < enforced);
        assert!(enforced < position(&Step::Start(Component::Kubelet)));
    }

    #[test]
    fn what_a_cluster_without_a_node_awaits_needs_no_debian_package() {
        for step in steps(Mode::ControlPlane) {
            if let Step::Await(Condition {
                probe: Probe::Succeeds(words),
                ..
            }) = step
            {
                assert!(words[0].starts_with('/'), "{words:?}");
            }
        }
    }
}
