//! Files, by Landlock.

use super::{ConfineError, FileRules};
use landlock::{
    ABI, Access, AccessFs, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The newest rules that this code knows. Of an older kernel it takes what there is.
const NEWEST: ABI = ABI::V10;

/// Leaves the calling thread, and what it starts afterwards, nothing of the file system but what the rules name; processes
/// outside get no signals from it, and abstract sockets outside can't be reached, where the kernel has that.
///
/// Returns the version of Landlock that holds; `None` when the kernel has none, and then nothing is restricted. Paths that
/// are not there are left out. TCP is left alone: a network namespace does that, and its loopback has to work.
pub fn restrict_files(rules: &FileRules) -> Result<Option<u32>, ConfineError> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(at("make the rules"))?;
    for path in &rules.read {
        ruleset = allow(ruleset, path, AccessFs::from_read(NEWEST))?;
    }
    for path in &rules.write {
        ruleset = allow(ruleset, path, AccessFs::from_all(NEWEST))?;
    }
    let status = ruleset.restrict_self().map_err(at("set the rules"))?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
        (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => None,
    })
}

fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ConfineError> {
    let Some((file, kind)) = opened(path)? else {
        return Ok(ruleset);
    };
    let rights = match kind {
        FileType::Directory => rights,
        // Whoever is shown a single socket is meant to connect to it.
        FileType::Socket => (rights | AccessFs::ResolveUnix) & AccessFs::from_file(NEWEST),
        _ => rights & AccessFs::from_file(NEWEST),
    };
    ruleset
        .add_rule(PathBeneath::new(file, rights))
        .map_err(at("add a rule"))
}

fn opened(path: &Path) -> Result<Option<(OwnedFd, FileType)>, ConfineError> {
    let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let found = file.and_then(|file| {
        let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
        Ok((file, kind))
    });
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(ConfineError::Path {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

fn at(step: &'static str) -> impl Fn(RulesetError) -> ConfineError {
    move |source| ConfineError::Landlock {
        step,
        source: source.into(),
    }
}
