//! Single rights, and rules made of them.

use crate::crd::v1alpha1::RbacRuleSpec;
use sympozium_core::skill::RbacRule;

/// One verb on one resource of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Right<'a> {
    pub(super) group: &'a str,
    pub(super) resource: &'a str,
    pub(super) verb: &'a str,
}

/// The rights that a rule gives, in the rule's order.
pub(super) fn rights(rule: &RbacRule) -> impl Iterator<Item = Right<'_>> {
    rule.api_groups.iter().flat_map(move |group| {
        rule.resources.iter().flat_map(move |resource| {
            rule.verbs.iter().map(move |verb| Right {
                group,
                resource,
                verb,
            })
        })
    })
}

/// Few rules that give exactly these rights, in the order in which they first occur.
pub(super) fn rules(rights: &[Right<'_>]) -> Vec<RbacRuleSpec> {
    let mut rules: Vec<RbacRuleSpec> = Vec::new();
    for right in rights {
        let same = rules.iter_mut().find(|rule| {
            rule.api_groups.iter().eq([right.group]) && rule.resources.iter().eq([right.resource])
        });
        match same {
            Some(rule) if rule.verbs.iter().any(|verb| verb == right.verb) => {}
            Some(rule) => rule.verbs.push(right.verb.to_owned()),
            None => rules.push(RbacRuleSpec {
                api_groups: vec![right.group.to_owned()],
                resources: vec![right.resource.to_owned()],
                verbs: vec![right.verb.to_owned()],
            }),
        }
    }
    let by_group = join(
        rules,
        |a, b| a.api_groups == b.api_groups && a.verbs == b.verbs,
        |rule| &mut rule.resources,
    );
    join(
        by_group,
        |a, b| a.resources == b.resources && a.verbs == b.verbs,
        |rule| &mut rule.api_groups,
    )
}

/// Joins rules that differ in one list alone.
fn join(
    rules: Vec<RbacRuleSpec>,
    alike: fn(&RbacRuleSpec, &RbacRuleSpec) -> bool,
    list: fn(&mut RbacRuleSpec) -> &mut Vec<String>,
) -> Vec<RbacRuleSpec> {
    let mut joined: Vec<RbacRuleSpec> = Vec::new();
    for mut rule in rules {
        match joined.iter_mut().find(|other| alike(other, &rule)) {
            Some(other) => {
                let more = std::mem::take(list(&mut rule));
                list(other).extend(more);
            }
            None => joined.push(rule),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> RbacRule {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        RbacRule {
            api_groups: owned(groups),
            resources: owned(resources),
            verbs: owned(verbs),
        }
    }

    #[test]
    fn a_rule_that_is_kept_whole_stays_as_it_was_written() {
        let whole = rule(&["", "apps"], &["pods", "deployments"], &["get", "list"]);
        let again = rules(&rights(&whole).collect::<Vec<_>>());
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].api_groups, whole.api_groups);
        assert_eq!(again[0].resources, whole.resources);
        assert_eq!(again[0].verbs, whole.verbs);
    }

    proptest! {
        #[test]
        fn rules_give_exactly_the_rights_that_they_were_made_of(
            picked in proptest::collection::vec((0..3usize, 0..4usize, 0..4usize), 0..40),
        ) {
            let (groups, resources, verbs) = (["", "apps", "x"], ["a", "b", "c", "d"], ["get", "list", "watch", "create"]);
            let rights_before: Vec<_> = picked
                .iter()
                .map(|&(g, r, v)| Right { group: groups[g], resource: resources[r], verb: verbs[v] })
                .collect();
            let made = rules(&rights_before);
            let mut after = BTreeSet::new();
            for one in &made {
                let one = rule(
                    &one.api_groups.iter().map(String::as_str).collect::<Vec<_>>(),
                    &one.resources.iter().map(String::as_str).collect::<Vec<_>>(),
                    &one.verbs.iter().map(String::as_str).collect::<Vec<_>>(),
                );
                for right in rights(&one) {
                    after.insert(format!("{right:?}"));
                }
            }
            let before: BTreeSet<_> = rights_before.iter().map(|right| format!("{right:?}")).collect();
            prop_assert_eq!(before, after);
        }
    }
}
