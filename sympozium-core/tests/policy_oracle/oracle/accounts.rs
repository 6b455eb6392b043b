//! Which accounts a run is charged to, and how far.

use std::collections::BTreeMap;
use sympozium_core::policy::{Cap, Policy, PolicyOrigin};

/// The limits of every account by its name, and which rules made them.
pub(crate) type Accounts = BTreeMap<String, (Option<u64>, Option<u64>, Vec<String>)>;

/// The accounts that a model call on 1970-01-01 is charged to.
pub(crate) fn accounts(policies: &[Policy], run: &str) -> Accounts {
    let run = format!("run/{run} total");
    let mut all = Accounts::from([(run.clone(), (None, None, vec![]))]);
    for policy in policies {
        let over = match policy.origin {
            PolicyOrigin::InstallWide => "installation",
            PolicyOrigin::Namespace => "namespace/n",
            PolicyOrigin::Instance => "instance/n/i",
        };
        for (cap, account, rule) in [
            (policy.budget.per_run, run.clone(), "budget.perRun"),
            (
                policy.budget.per_day,
                format!("{over} day/1970-01-01"),
                "budget.perDay",
            ),
            (
                policy.budget.per_month,
                format!("{over} month/1970-01"),
                "budget.perMonth",
            ),
        ] {
            if cap != Cap::default() {
                let (tokens, usd, rules) = all.entry(account).or_default();
                *tokens = [*tokens, cap.tokens].into_iter().flatten().min();
                *usd = [*usd, cap.micro_usd].into_iter().flatten().min();
                rules.push(format!("{}: {rule}", policy.name));
            }
        }
    }
    all
}
