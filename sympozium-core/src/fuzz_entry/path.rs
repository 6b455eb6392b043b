//! Paths that a model may write.

use crate::jail::{Access, Beneath, Jail, Root};
use std::{fs, io, os::unix::fs::symlink, path::Path, sync::OnceLock};

/// What the file outside of the roots holds, and nothing inside.
const SECRET: &[u8] = b"outside";

/// Folders with a file each, one of them outside, and links that lead there; the jails over the others.
struct World {
    jails: [Jail; 2],
    /// Removed when the program ends.
    _folder: tempfile::TempDir,
}

/// A path is refused, or means a place below a root that is named in one way only; and whatever it means, what lies
/// outside is never read or listed.
///
/// # Panics
/// When that does not hold, or when the folders for it can't be made.
pub fn resolve_path(data: &[u8]) {
    static WORLD: OnceLock<io::Result<World>> = OnceLock::new();
    let text = String::from_utf8_lossy(data);
    match WORLD.get_or_init(World::make) {
        Ok(world) => world.jails.iter().for_each(|jail| check(jail, &text)),
        Err(error) => assert!(data.is_empty(), "the folders could not be made: {error}"),
    }
}

fn check(jail: &Jail, text: &str) {
    let Ok(path) = jail.resolve(text) else { return };
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
    assert_eq!(
        jail.resolve(path.shown()).ok().as_ref(),
        Some(&path),
        "{text:?} means two places"
    );
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

impl World {
    fn make() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for name in ["outside", "work/a/b", "skills"] {
            fs::create_dir_all(at(name))?;
        }
        fs::write(at("outside/secret"), SECRET)?;
        fs::write(at("work/f"), b"inside")?;
        symlink("../outside", at("work/up"))?;
        symlink("../../../outside/secret", at("work/a/b/s"))?;
        symlink(at("outside"), at("work/abs"))?;
        symlink("/proc/self/root", at("work/root"))?;
        symlink("a/b", at("work/in"))?;
        fs::hard_link(at("outside/secret"), at("work/hard"))?;
        let roots = || {
            ["workspace", "skills"].map(|mount| Root {
                mount: Path::new("/").join(mount),
                dir: at(if mount == "skills" { "skills" } else { "work" }),
                access: Access::ReadOnly,
            })
        };
        let open = |way| Jail::open_with(roots().to_vec(), way).map_err(io::Error::other);
        Ok(Self {
            jails: [open(Beneath::detect())?, open(Beneath::Walk)?],
            _folder: folder,
        })
    }
}
