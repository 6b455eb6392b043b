//! What comes next for a skill pack: its status, from what it says. Pure.
//!
//! The ConfigMaps with its documents are made where its runs are, when the first run needs them; this says only what is
//! true of the pack itself.

use super::conditions::{ConditionType, Said, set};
use crate::convert::{self, PackEntry};
use crate::crd::v1alpha1::{SkillPack, SkillPackPhase, SkillPackStatus};
use jiff::Timestamp;

/// The status that is to stand. `shadowed` says that a built-in pack has the same name, `config_map` names the first
/// ConfigMap with its documents.
pub fn decide(
    pack: &SkillPack,
    builtin: bool,
    shadowed: bool,
    config_map: &str,
    now: Timestamp,
) -> SkillPackStatus {
    let generation = pack.metadata.generation;
    let mut status = pack.status.clone().unwrap_or_default();
    status.skill_count = i64::try_from(pack.spec.skills.len()).unwrap_or(i64::MAX);
    status.observed_generation = generation;
    let (phase, said) = match convert::skill(PackEntry { pack, builtin }) {
        Err(invalid) => (
            SkillPackPhase::Error,
            Said::new(ConditionType::Ready, false, "Invalid", invalid.to_string()),
        ),
        Ok(_) if shadowed => (
            SkillPackPhase::Error,
            Said::new(
                ConditionType::Ready,
                false,
                "NameOfBuiltin",
                "A built-in pack has this name, and a bare name means that one: give this pack another name.",
            ),
        ),
        Ok(_) => (
            SkillPackPhase::Ready,
            Said::new(ConditionType::Ready, true, "Usable", "Runs can use the pack."),
        ),
    };
    status.config_map_name = (phase == SkillPackPhase::Ready).then(|| config_map.to_owned());
    status.phase = Some(phase);
    set(&mut status.conditions, said, generation, now);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(spec: &Value, shadowed: bool, reason: &str, config_map: Option<&str>) {
        let pack = SkillPack::new("ops", serde_json::from_value(spec.clone()).unwrap());
        let status = decide(&pack, false, shadowed, "skills.ops.0", Timestamp::UNIX_EPOCH);
        assert_eq!(
            status.conditions[0].reason, reason,
            "{}",
            status.conditions[0].message
        );
        assert_eq!(status.config_map_name.as_deref(), config_map);
        assert_eq!(status.skill_count, 1);
    }

    #[test]
    fn a_pack_says_whether_runs_can_use_it() {
        let skills = json!({"skills": [{"name": "a", "content": "Do it."}]});
        check(&skills, false, "Usable", Some("skills.ops.0"));
        check(&skills, true, "NameOfBuiltin", None);
        let mut bad = skills;
        bad["sidecar"] =
            json!({"image": "x", "tools": [{"name": "t", "description": "d", "argv": ["{{missing}}"]}]});
        check(&bad, false, "Invalid", None);
    }
}
