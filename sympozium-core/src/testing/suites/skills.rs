//! The suite of [`SkillSource`].

use super::{fails, ok, same};
use crate::ids::PackName;
use crate::skill::{Skill, SkillError, SkillRef, SkillSource};

/// What a skill source under test has.
#[derive(Debug, Clone)]
pub struct KnownPacks {
    /// A built-in pack. There may be an own pack of that name too, which must not shadow it.
    pub builtin: PackName,
    /// An own pack, of a name that no built-in pack has.
    pub own: PackName,
}

/// Checks a [`SkillSource`] that has these packs, and none called `suite-nothing` or `suite-nobody`.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn skill_source(source: &dyn SkillSource, known: &KnownPacks) {
    references_are_resolved_in_their_order(source, known).await;
    a_builtin_pack_is_never_shadowed(source, known).await;
    an_own_pack_is_not_a_builtin_one(source, known).await;
    the_first_pack_that_is_missing_is_named(source, known).await;
}

fn reference(builtin: bool, name: &PackName) -> SkillRef {
    SkillRef {
        builtin,
        name: name.clone(),
    }
}

fn name(text: &str) -> PackName {
    ok(PackName::new(text), "the suite's pack name is valid")
}

async fn resolve(source: &dyn SkillSource, refs: &[SkillRef]) -> Vec<Skill> {
    ok(source.resolve(refs).await, "packs that are there are resolved")
}

async fn references_are_resolved_in_their_order(source: &dyn SkillSource, known: &KnownPacks) {
    same(
        &resolve(source, &[]).await,
        &vec![],
        "no references are no packs, and no error",
    );
    let (one, other) = (reference(false, &known.own), reference(true, &known.builtin));
    for refs in [[one.clone(), other.clone()], [other.clone(), one.clone()]] {
        let found = resolve(source, &refs).await;
        let names: Vec<_> = found.iter().map(|skill| &skill.pack).collect();
        let wanted: Vec<_> = refs.iter().map(|wanted| &wanted.name).collect();
        same(&names, &wanted, "packs come in the order of their references");
        same(
            &resolve(source, &refs).await,
            &found,
            "the same references give the same packs",
        );
    }
}

async fn a_builtin_pack_is_never_shadowed(source: &dyn SkillSource, known: &KnownPacks) {
    let by_name = resolve(source, &[reference(false, &known.builtin)]).await;
    let by_system = resolve(source, &[reference(true, &known.builtin)]).await;
    same(
        &by_name,
        &by_system,
        "a bare name means the built-in pack of that name first",
    );
    assert!(
        by_name.iter().all(|skill| skill.builtin),
        "a built-in pack says that it is one"
    );
}

async fn an_own_pack_is_not_a_builtin_one(source: &dyn SkillSource, known: &KnownPacks) {
    let own = resolve(source, &[reference(false, &known.own)]).await;
    assert!(
        own.iter().all(|skill| !skill.builtin),
        "an own pack does not say that it is built in"
    );
    fails(
        source.resolve(&[reference(true, &known.own)]).await,
        "not-found",
        "`system/` never means an own pack",
    );
}

async fn the_first_pack_that_is_missing_is_named(source: &dyn SkillSource, known: &KnownPacks) {
    let refs = [
        reference(false, &known.own),
        reference(false, &name("suite-nothing")),
        reference(true, &name("suite-nobody")),
    ];
    match source.resolve(&refs).await {
        Err(SkillError::NotFound(missing)) => same(
            &missing,
            &name("suite-nothing"),
            "the first pack that is missing is named",
        ),
        other => panic!("a pack that is missing is an error that names it, but it gave {other:?}"),
    }
}
