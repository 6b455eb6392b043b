//! A skill source of a fixed list.

use crate::skill::{Skill, SkillError, SkillRef, SkillSource};
use async_trait::async_trait;

/// Resolves references from a list. Like the real sources it prefers a built-in pack to an own one of the same name.
#[derive(Debug, Clone, Default)]
pub struct StaticSkills {
    skills: Vec<Skill>,
}

impl StaticSkills {
    /// A source of these packs.
    pub fn new(skills: impl IntoIterator<Item = Skill>) -> Self {
        Self {
            skills: skills.into_iter().collect(),
        }
    }

    fn find(&self, wanted: &SkillRef) -> Option<&Skill> {
        let named = |builtin| {
            let mut skills = self.skills.iter();
            skills.find(move |skill| skill.pack == wanted.name && skill.builtin == builtin)
        };
        named(true).or_else(|| if wanted.builtin { None } else { named(false) })
    }
}

#[async_trait]
impl SkillSource for StaticSkills {
    async fn resolve(&self, refs: &[SkillRef]) -> Result<Vec<Skill>, SkillError> {
        refs.iter()
            .map(|wanted| {
                self.find(wanted)
                    .cloned()
                    .ok_or_else(|| SkillError::NotFound(wanted.name.clone()))
            })
            .collect()
    }
}
