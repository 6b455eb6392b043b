//! Who may be connected to what.

use super::*;
use std::collections::BTreeMap;
use sympozium_core::skill::{RbacRule, Sidecar, Skill};
use sympozium_core::testing::run_plan;

fn host(host: &str, port: u16) -> HostPort {
    HostPort {
        host: host.to_owned(),
        port,
    }
}

fn skill(pack: &str, egress: Vec<HostPort>, rbac: bool) -> Skill {
    let rule = RbacRule {
        api_groups: vec![String::new()],
        resources: vec!["pods".to_owned()],
        verbs: vec!["get".to_owned()],
    };
    Skill {
        pack: PackName::new(pack).unwrap(),
        builtin: false,
        category: None,
        documents: vec![],
        sidecar: Some(Sidecar {
            image: String::new(),
            command: vec![],
            env: BTreeMap::new(),
            mount_workspace: true,
            resources: BTreeMap::new(),
            tools: vec![],
            egress,
            rbac: if rbac { vec![rule] } else { vec![] },
            cluster_rbac: vec![],
        }),
    }
}

fn plan() -> RunPlan {
    let mut plan = run_plan("t");
    let words = Skill {
        sidecar: None,
        ..skill("words", vec![], false)
    };
    plan.skills = vec![
        skill("ops", vec![], true),
        skill(
            "web",
            vec![
                host("*.example.org", 443),
                host("one.example", 80),
                host("10.96.0.1", 443),
                host("kubernetes.default.svc", 443),
            ],
            false,
        ),
        words,
    ];
    plan
}

fn api() -> ApiServer {
    ApiServer::new("10.96.0.1", 443)
}

fn ask(plan: &RunPlan, pack: &str, to: &HostPort) -> Result<Route, Problem> {
    route(plan, &PackName::new(pack).unwrap(), to, Some(&api())).map(|(route, _)| route)
}

#[test]
fn only_packs_with_rights_are_connected_to_the_api_server() {
    let plan = plan();
    for name in [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10.96.0.1",
    ] {
        assert_eq!(
            ask(&plan, "ops", &host(name, 443)).unwrap(),
            Route::ApiServer,
            "{name}"
        );
        assert!(ask(&plan, "web", &host(name, 443)).is_err(), "{name}");
    }
    for other in [
        host("10.96.0.1", 80),
        host("10.96.0.2", 443),
        host("kubernetes.other", 443),
    ] {
        assert!(ask(&plan, "ops", &other).is_err(), "{other}");
    }
}

#[test]
fn a_pack_is_connected_to_the_hosts_that_it_names_at_their_ports() {
    let plan = plan();
    for (pack, to, fine) in [
        ("web", host("a.example.org", 443), true),
        ("web", host("one.example", 80), true),
        ("web", host("example.org", 443), false),
        ("web", host("a.example.org", 80), false),
        ("web", host("evilexample.org", 443), false),
        ("web", host("other.example", 443), false),
        ("ops", host("a.example.org", 443), false),
        ("words", host("a.example.org", 443), false),
        ("missing", host("a.example.org", 443), false),
    ] {
        let answer = ask(&plan, pack, &to);
        assert_eq!(answer.is_ok(), fine, "{pack} {to}");
        if let Err(problem) = answer {
            assert_eq!(problem.kind, ProblemKind::EgressRefused);
        }
    }
}

#[test]
fn a_policy_is_the_ceiling_and_is_named() {
    let mut plan = plan();
    plan.policies[0].network.allowed_egress = Some(vec![host("a.example.org", 443)]);
    assert!(ask(&plan, "web", &host("a.example.org", 443)).is_ok());
    let refused = ask(&plan, "web", &host("b.example.org", 443)).unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("networkPolicy.allowedEgress"));
    assert!(refused.policy.is_some());
    // The API server is a matter of rights, not of that list.
    assert!(ask(&plan, "ops", &host("kubernetes.default.svc", 443)).is_ok());
    plan.policies.clear();
    assert!(ask(&plan, "web", &host("a.example.org", 443)).is_err());
}

#[test]
fn targets_are_read_as_addresses_are() {
    for (text, expected) in [
        ("example.org:443", Some(host("example.org", 443))),
        ("EXAMPLE.org.:443", Some(host("example.org", 443))),
        ("2130706433:80", Some(host("127.0.0.1", 80))),
        ("0x7f.1:80", Some(host("127.0.0.1", 80))),
        ("[::1]:80", Some(host("::1", 80))),
        ("example.org", None),
        ("example.org:0", None),
        ("user@example.org:443", None),
    ] {
        let uri: http::Uri = text.parse().unwrap();
        assert_eq!(target(&uri).ok(), expected, "{text}");
    }
}
