//! Paths that a model may write.

use crate::jail::{Access, Beneath, Jail, Root};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{fs, io, sync::OnceLock};

/// What the file outside of the roots holds, and nothing inside.
const SECRET: &[u8] = b"outside";

/// Folders with a file each, one of them outside, and links that lead there; the jails over the others.
struct World {
    jails: [Jail; 2],
    /// Removed with it.
    _folder: tempfile::TempDir,
}

/// A path is refused, or means a place below a root that is named in one way only; and whatever it means, what lies
/// outside is never read or listed.
///
/// # Panics
/// When that does not hold, or when the folders for it can't be made.
pub fn resolve_path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Most texts mean nothing; folders are only made for those that do, and are gone afterwards: a fuzzer ends without
    // tidying up.
    if !means_one_place(&text) {
        return;
    }
    match World::make() {
        Ok(world) => world.jails.iter().for_each(|jail| stays_inside(jail, &text)),
        Err(error) => assert!(data.is_empty(), "the folders could not be made: {error}"),
    }
}

/// Looks at the text alone; false when it means nothing.
fn means_one_place(text: &str) -> bool {
    static JAIL: OnceLock<Option<Jail>> = OnceLock::new();
    let jail = JAIL.get_or_init(|| {
        let anywhere = |_: &str| std::env::temp_dir();
        Jail::open(roots(anywhere)).ok()
    });
    let Some(path) = jail.as_ref().and_then(|jail| jail.resolve(text).ok()) else {
        return false;
    };
    let shown = Path::new(path.shown());
    let below = ["/workspace", "/skills"]
        .iter()
        .any(|mount| shown.starts_with(mount));
    assert!(below, "{text:?} became {}", path.shown());
    assert!(
        !shown.components().any(|part| part.as_os_str() == ".."),
        "{text:?} became {}",
        path.shown()
    );
    let again = jail.as_ref().and_then(|jail| jail.resolve(path.shown()).ok());
    assert_eq!(again.as_ref(), Some(&path), "{text:?} means two places");
    true
}

fn stays_inside(jail: &Jail, text: &str) {
    let Ok(path) = jail.resolve(text) else { return };
    if let Ok(content) = jail.read(&path, 0, 64) {
        assert_ne!(content.bytes, SECRET, "{text:?} reads what is outside");
    }
    if let Ok((entries, _)) = jail.list(&path) {
        assert!(
            entries.iter().all(|entry| entry.name != "secret"),
            "{text:?} lists what is outside"
        );
    }
}

fn roots(place: impl Fn(&str) -> PathBuf) -> Vec<Root> {
    let root = |mount: &str| Root {
        mount: Path::new("/").join(mount),
        dir: place(mount),
        access: Access::ReadOnly,
    };
    ["workspace", "skills"].map(root).to_vec()
}

impl World {
    fn make() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for name in ["outside", "workspace/a/b", "skills"] {
            fs::create_dir_all(at(name))?;
        }
        fs::write(at("outside/secret"), SECRET)?;
        fs::write(at("workspace/f"), b"inside")?;
        symlink("../outside", at("workspace/up"))?;
        symlink("../../../outside/secret", at("workspace/a/b/s"))?;
        symlink(at("outside"), at("workspace/abs"))?;
        symlink("/proc/self/root", at("workspace/root"))?;
        symlink("a/b", at("workspace/in"))?;
        fs::hard_link(at("outside/secret"), at("workspace/hard"))?;
        let open = |way| Jail::open_with(roots(at), way).map_err(io::Error::other);
        Ok(Self {
            jails: [open(Beneath::detect())?, open(Beneath::Walk)?],
            _folder: folder,
        })
    }
}
