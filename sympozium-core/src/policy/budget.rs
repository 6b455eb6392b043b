//! Which accounts a model call is charged to, and how much each may hold.

use super::{Cap, Policy, PolicyOrigin};
use crate::ids::{InstanceRef, Namespace, RunUid};
use crate::store::{Account, Charge, Scope, Window};
use jiff::Timestamp;

/// The charges of a run's model calls at `now`: one per account, with the lowest limit of all policies.
///
/// The run itself is always metered. Days and months (UTC) are metered over what the policy was chosen by: the
/// installation, the namespace, or the instance.
pub fn charges(policies: &[Policy], run: RunUid, instance: &InstanceRef, now: Timestamp) -> Vec<Charge> {
    let account = Account {
        scope: Scope::Run(run),
        window: Window::Total,
    };
    let mut all = vec![Charge {
        account,
        max_tokens: None,
        max_micro_usd: None,
        rule: String::new(),
    }];
    for policy in policies {
        let scope = scope_of(policy.origin, &instance.namespace, instance);
        let rows = [
            (policy.budget.per_run, Scope::Run(run), Window::Total, "perRun"),
            (policy.budget.per_day, scope.clone(), Window::day(now), "perDay"),
            (policy.budget.per_month, scope, Window::month(now), "perMonth"),
        ];
        for (cap, scope, window, field) in rows {
            if !cap.is_open() {
                let rule = format!("{}: budget.{field}", policy.name);
                add(&mut all, Account { scope, window }, cap, rule);
            }
        }
    }
    all
}

fn scope_of(origin: PolicyOrigin, namespace: &Namespace, instance: &InstanceRef) -> Scope {
    match origin {
        PolicyOrigin::InstallWide => Scope::Installation,
        PolicyOrigin::Namespace => Scope::Namespace(namespace.clone()),
        PolicyOrigin::Instance => Scope::Instance(instance.clone()),
    }
}

/// An account appears once: charging it twice would count a call twice.
fn add(all: &mut Vec<Charge>, account: Account, cap: Cap, rule: String) {
    match all.iter_mut().find(|charge| charge.account == account) {
        None => all.push(Charge {
            account,
            max_tokens: cap.tokens,
            max_micro_usd: cap.micro_usd,
            rule,
        }),
        Some(charge) => {
            charge.max_tokens = lower(charge.max_tokens, cap.tokens);
            charge.max_micro_usd = lower(charge.max_micro_usd, cap.micro_usd);
            charge.rule = if charge.rule.is_empty() {
                rule
            } else {
                format!("{}, {rule}", charge.rule)
            };
        }
    }
}

fn lower(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::InstanceName;
    use crate::policy::PolicyName;

    #[test]
    fn two_policies_on_one_account_make_one_charge_with_the_lower_limit() {
        let policy = |name: &str, tokens| {
            let mut p = Policy::open(PolicyName(name.into()), PolicyOrigin::Instance);
            p.budget.per_run.tokens = Some(tokens);
            p.budget.per_month.micro_usd = Some(5);
            p
        };
        let instance = InstanceRef {
            namespace: Namespace::new("n").unwrap(),
            name: InstanceName::new("i").unwrap(),
        };
        let run = RunUid::random();
        let all = charges(
            &[policy("a", 10), policy("b", 7)],
            run,
            &instance,
            Timestamp::UNIX_EPOCH,
        );
        let seen: Vec<_> = all
            .iter()
            .map(|c| {
                (
                    c.account.to_string(),
                    c.max_tokens,
                    c.max_micro_usd,
                    c.rule.as_str(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    format!("run/{run} total"),
                    Some(7),
                    None,
                    "a: budget.perRun, b: budget.perRun"
                ),
                (
                    "instance/n/i month/1970-01".to_owned(),
                    None,
                    Some(5),
                    "a: budget.perMonth, b: budget.perMonth"
                ),
            ]
        );
    }
}
