//! Who may have tokens of runs' ServiceAccounts made.

use super::fence::{About, Fence, fence};
use crate::install::InstallOptions;
use crate::install::names::OPERATOR;

/// The kubelet alone, for the pods of its node: whoever may edit a namespace may otherwise have a token made for every
/// ServiceAccount in it, and use what a run's skills may do.
pub(super) fn tokens(options: &InstallOptions) -> Fence {
    let about = About {
        name: "sympozium-run-tokens".to_owned(),
        part: OPERATOR,
        group: "",
        resources: &["serviceaccounts/token"],
        operations: &["CREATE"],
        condition: "request.name.startsWith('sympozium-run-')".to_owned(),
        rules: vec![(
            "'system:nodes' in request.userInfo.groups".to_owned(),
            "tokens of ServiceAccounts named sympozium-run-* are made for their pods alone",
        )],
    };
    fence(options, &about)
}
