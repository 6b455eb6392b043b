//! Which model, which image, which URL, which sidecar target?

use super::finding::{Finding, strictest};
use super::{EgressHost, EgressPolicy, Pattern, Policy, PolicyOrigin, Question, Verdict};
use crate::ids::{ModelName, ProviderName};
use crate::skill::HostPort;
use url::Url;

/// Whether a run may use a model.
///
/// A pattern with a slash is about `provider/model`, one without about the model's name under any provider. A denial
/// fits either way: some providers have models whose own names hold a slash, and those must not slip through.
pub fn decide_model(policies: &[Policy], provider: &ProviderName, model: &ModelName) -> Verdict {
    let full = format!("{provider}/{model}");
    let findings = policies.iter().map(|policy| {
        let fits = |pattern: &Pattern| {
            pattern.matches(if pattern.as_str().contains('/') {
                &full
            } else {
                model.as_str()
            })
        };
        let rules = &policy.models;
        if let Some(i) = rules
            .deny
            .iter()
            .position(|p| p.matches(model.as_str()) || p.matches(&full))
        {
            return Finding::deny(
                &policy.name,
                format!("models.deny[{i}]"),
                format!("The model {full} is not allowed."),
            );
        }
        match rules.allow.iter().position(fits) {
            Some(i) => Finding::allow(
                &policy.name,
                format!("models.allow[{i}]"),
                format!("The model {full} is allowed."),
            ),
            None if rules.allow.is_empty() => Finding::allow(
                &policy.name,
                "models",
                format!("The model {full} is allowed: no list forbids it."),
            ),
            None => Finding::deny(
                &policy.name,
                "models.allow",
                format!(
                    "The model {full} is not allowed; allowed are: {}.",
                    list(&rules.allow)
                ),
            ),
        }
    });
    strictest(Question::Model(full.clone()), "spec.model.model", findings)
}

/// Whether an image may run; `field` is where the run names it.
pub fn decide_image(policies: &[Policy], image: &str, field: &str) -> Verdict {
    let findings = policies.iter().map(|policy| match &policy.images {
        None => Finding::allow(
            &policy.name,
            "images",
            format!("The image {image} is allowed: no list forbids it."),
        ),
        Some(allow) => match allow.iter().position(|pattern| pattern.matches(image)) {
            Some(i) => Finding::allow(
                &policy.name,
                format!("images.allow[{i}]"),
                format!("The image {image} is allowed."),
            ),
            None => Finding::deny(
                &policy.name,
                "images.allow",
                format!("The image {image} is not allowed; allowed are: {}.", list(allow)),
            ),
        },
    });
    strictest(Question::Image(image.to_owned()), field, findings)
}

/// Whether a sidecar may have a target among its `egress`; `field` is where the pack is named.
pub fn decide_sidecar_egress(policies: &[Policy], target: &HostPort, field: &str) -> Verdict {
    let name = format!("{}:{}", target.host, target.port);
    let findings = policies.iter().map(|policy| {
        let Some(allowed) = &policy.network.allowed_egress else {
            return Finding::allow(
                &policy.name,
                "networkPolicy",
                format!("The target {name} is allowed: no list forbids it."),
            );
        };
        match allowed.iter().position(|limit| limit.covers(target)) {
            Some(i) => {
                let rule = format!("networkPolicy.allowedEgress[{i}]");
                Finding::allow(&policy.name, rule, format!("The target {name} is allowed."))
            }
            None => Finding::deny(
                &policy.name,
                "networkPolicy.allowedEgress",
                format!("The target {name} is not among those that this policy allows."),
            ),
        }
    });
    strictest(Question::Network(name.clone()), field, findings)
}

/// Whether a URL may be fetched, and whether its host may have a private address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// An install-wide policy names this host as private.
    pub private: bool,
}

/// Whether a URL may be fetched with a method.
pub fn decide_egress(policies: &[Policy], url: &Url, method: &str) -> EgressVerdict {
    let shown = format!(
        "{}://{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    );
    let findings = policies.iter().map(|policy| match &policy.egress {
        None => Finding::allow(
            &policy.name,
            "egress",
            format!("{shown} is allowed: no list forbids it."),
        ),
        Some(egress) => match fitting(egress, url, method) {
            Some((i, _)) => Finding::allow(
                &policy.name,
                format!("egress.hosts[{i}]"),
                format!("{shown} is allowed."),
            ),
            None => Finding::deny(
                &policy.name,
                "egress.hosts",
                format!(
                    "{method} {shown} is not allowed; allowed hosts are: {}.",
                    hosts(egress)
                ),
            ),
        },
    });
    let verdict = strictest(Question::Egress(shown.clone()), "", findings);
    let private = policies
        .iter()
        .filter(|policy| policy.origin == PolicyOrigin::InstallWide)
        .any(|policy| {
            policy.egress.as_ref().is_some_and(|egress| {
                egress
                    .hosts
                    .iter()
                    .any(|host| host.private && fits(host, url, method))
            })
        });
    EgressVerdict { verdict, private }
}

fn fitting<'a>(egress: &'a EgressPolicy, url: &Url, method: &str) -> Option<(usize, &'a EgressHost)> {
    egress
        .hosts
        .iter()
        .enumerate()
        .find(|(_, host)| fits(host, url, method))
}

fn fits(rule: &EgressHost, url: &Url, method: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    let by_method = if rule.methods.is_empty() {
        method == "GET"
    } else {
        rule.methods.iter().any(|allowed| allowed == method)
    };
    let by_path = rule.paths.is_empty() || rule.paths.iter().any(|pattern| path_fits(pattern, url.path()));
    !host.is_empty() && rule.host.matches(host) && by_method && by_path
}

/// A path without a star stands for itself and everything below it.
fn path_fits(pattern: &Pattern, path: &str) -> bool {
    if !pattern.is_exact() {
        return pattern.matches(path);
    }
    let prefix = pattern.as_str().trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn hosts(egress: &EgressPolicy) -> String {
    list(
        &egress
            .hosts
            .iter()
            .map(|host| host.host.clone())
            .collect::<Vec<_>>(),
    )
}

fn list(patterns: &[Pattern]) -> String {
    if patterns.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = patterns.iter().take(10).map(Pattern::as_str).collect();
    let more = patterns.len().saturating_sub(shown.len());
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Outcome, PolicyName};

    fn policy(name: &str, origin: PolicyOrigin) -> Policy {
        Policy::open(PolicyName(name.into()), origin)
    }

    #[test]
    fn a_denied_model_stays_denied_when_another_policy_lists_it() {
        let (mut a, mut b) = (
            policy("a", PolicyOrigin::InstallWide),
            policy("b", PolicyOrigin::Instance),
        );
        a.models.deny = vec![Pattern::new("gpt-4*").unwrap()];
        b.models.allow = vec![Pattern::new("openai/*").unwrap()];
        let ask = |policies: &[Policy], provider: &str, model: &str| {
            let v = decide_model(
                policies,
                &ProviderName::new(provider).unwrap(),
                &ModelName::new(model).unwrap(),
            );
            (v.outcome, v.policy.0, v.rule)
        };
        let both = [a, b];
        assert_eq!(
            ask(&both, "openai", "gpt-4o"),
            (Outcome::Deny, "a".into(), "models.deny[0]".into())
        );
        assert_eq!(
            ask(&both, "openai", "o9"),
            (Outcome::Allow, "a".into(), "models".into())
        );
        assert_eq!(
            ask(&both, "anthropic", "c"),
            (Outcome::Deny, "b".into(), "models.allow".into())
        );
        assert_eq!(
            ask(&both, "router", "openai/o9"),
            (Outcome::Deny, "b".into(), "models.allow".into())
        );
        assert_eq!(ask(&[], "openai", "o9").0, Outcome::Deny);
    }

    #[test]
    fn only_an_install_wide_policy_makes_a_host_private() {
        let host = |private| EgressHost {
            host: Pattern::new("wiki.corp").unwrap(),
            methods: vec![],
            paths: vec![],
            private,
        };
        let url = Url::parse("http://wiki.corp/a").unwrap();
        for (origin, expected) in [
            (PolicyOrigin::InstallWide, true),
            (PolicyOrigin::Namespace, false),
            (PolicyOrigin::Instance, false),
        ] {
            let mut p = policy("p", origin);
            p.egress = Some(EgressPolicy {
                hosts: vec![host(true)],
            });
            let answer = decide_egress(&[p], &url, "GET");
            assert_eq!(
                (answer.verdict.outcome, answer.private),
                (Outcome::Allow, expected)
            );
        }
    }

    #[test]
    fn egress_rules_bind_host_method_and_path() {
        let mut p = policy("p", PolicyOrigin::Instance);
        p.egress = Some(EgressPolicy {
            hosts: vec![
                EgressHost {
                    host: Pattern::new("a.example").unwrap(),
                    methods: vec![],
                    paths: vec![Pattern::new("/api").unwrap()],
                    private: false,
                },
                EgressHost {
                    host: Pattern::new("*.b.example").unwrap(),
                    methods: vec!["HEAD".into()],
                    paths: vec![],
                    private: false,
                },
            ],
        });
        for (url, method, expected) in [
            ("https://a.example/api", "GET", Outcome::Allow),
            ("https://a.example/api/x", "GET", Outcome::Allow),
            ("https://a.example/apix", "GET", Outcome::Deny),
            ("https://a.example/api/../x", "GET", Outcome::Deny),
            ("https://a.example/api", "POST", Outcome::Deny),
            ("https://x.b.example/", "HEAD", Outcome::Allow),
            ("https://b.example/", "HEAD", Outcome::Deny),
            ("https://x.b.example/", "GET", Outcome::Deny),
            ("https://x.b.example.evil/", "HEAD", Outcome::Deny),
        ] {
            let verdict = decide_egress(std::slice::from_ref(&p), &Url::parse(url).unwrap(), method).verdict;
            assert_eq!(verdict.outcome, expected, "{method} {url}");
        }
    }

    #[test]
    fn a_sidecars_target_must_lie_under_every_ceiling() {
        let mut p = policy("p", PolicyOrigin::Instance);
        let target = |host: &str, port| HostPort {
            host: host.into(),
            port,
        };
        p.network.allowed_egress = Some(vec![target("*.example.org", 443), target("one.example", 80)]);
        for (host, port, expected) in [
            ("a.example.org", 443, Outcome::Allow),
            ("*.a.example.org", 443, Outcome::Allow),
            ("example.org", 443, Outcome::Deny),
            ("a.example.org", 80, Outcome::Deny),
            ("one.example", 80, Outcome::Allow),
            ("*.one.example", 80, Outcome::Deny),
            ("*", 443, Outcome::Deny),
            ("evilexample.org", 443, Outcome::Deny),
        ] {
            let verdict = decide_sidecar_egress(std::slice::from_ref(&p), &target(host, port), "f");
            assert_eq!(verdict.outcome, expected, "{host}:{port}");
        }
    }
}
