//! No path leads a file tool out of its folders: not by its text, not by links, not by anybody who changes things meanwhile.
#![cfg(all(unix, feature = "ipc"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use sympozium_core::error::{Classify, chain};
use sympozium_core::jail::{Access, Beneath, Jail, JailError, Root};

const SECRET: &[u8] = b"the secret";
const WAYS: [Beneath; 2] = [Beneath::Kernel, Beneath::Walk];

/// A workspace, a folder that may only be read, and a place outside with a secret in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["workspace/inside", "skills", "outside/deep"] {
            fs::create_dir_all(place.path(name)).unwrap();
        }
        fs::write(place.path("outside/secret"), SECRET).unwrap();
        fs::write(place.path("outside/deep/secret"), SECRET).unwrap();
        fs::write(place.path("workspace/inside/file"), "inside").unwrap();
        fs::write(place.path("skills/skill.md"), "skill").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn jail(&self, way: Beneath) -> Jail {
        let root = |mount: &str, dir: &str, access| Root {
            mount: mount.into(),
            dir: self.path(dir),
            access,
        };
        let roots = vec![
            root("/workspace", "workspace", Access::ReadWrite),
            root("/skills", "skills", Access::ReadOnly),
        ];
        Jail::open_with(roots, way).unwrap()
    }

    fn outside_is_untouched(&self, after: &str) {
        let mut found: Vec<_> = fs::read_dir(self.path("outside"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        found.sort();
        assert_eq!(found, ["deep", "secret"], "after {after}");
        assert_eq!(
            fs::read_dir(self.path("outside/deep")).unwrap().count(),
            1,
            "after {after}"
        );
        for name in ["outside/secret", "outside/deep/secret"] {
            assert_eq!(fs::read(self.path(name)).unwrap(), SECRET, "after {after}");
        }
    }
}

fn read(jail: &Jail, path: &str) -> Result<Vec<u8>, JailError> {
    jail.read(&jail.resolve(path)?, 0, 1000)
        .map(|content| content.bytes)
}

fn write(jail: &Jail, path: &str) -> Result<(), JailError> {
    jail.write(&jail.resolve(path)?, b"written")
}

fn list(jail: &Jail, path: &str) -> Result<usize, JailError> {
    jail.list(&jail.resolve(path)?).map(|(entries, _)| entries.len())
}

/// Reading, writing and listing must all be refused.
fn refuses_all(place: &Place, path: &str) {
    for way in WAYS {
        let jail = place.jail(way);
        if let Ok(bytes) = read(&jail, path) {
            panic!("{way:?} reads {path}: {}", String::from_utf8_lossy(&bytes));
        }
        assert!(write(&jail, path).is_err(), "{way:?} writes {path}");
        assert!(list(&jail, path).is_err(), "{way:?} lists {path}");
        place.outside_is_untouched(path);
    }
}

#[test]
fn a_path_that_climbs_or_lies_elsewhere_is_refused() {
    let place = Place::new();
    let outside = place.path("outside/secret").display().to_string();
    for path in [
        "..",
        "../outside/secret",
        "inside/../../outside/secret",
        "/workspace/../outside/secret",
        "/workspacex/secret",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd",
        "/proc/1/root/etc/passwd",
        "/dev/zero",
        "/dev/fd/0",
        "//etc/passwd",
        "/skills/../../etc/passwd",
        "inside/file\0/../../secret",
        outside.as_str(),
    ] {
        refuses_all(&place, path);
    }
}

#[test]
fn a_tilde_a_variable_and_a_star_are_only_names() {
    let place = Place::new();
    for path in ["~/.ssh/id_rsa", "$HOME/file", "*/file", "a;b", "-rf"] {
        write(&place.jail(Beneath::detect()), path).unwrap();
        assert_eq!(
            fs::read(place.path("workspace").join(path)).unwrap(),
            b"written",
            "{path}"
        );
    }
}

#[test]
fn links_lead_nowhere_outside() {
    let place = Place::new();
    let workspace = place.path("workspace");
    let absolute = place.path("outside");
    for (name, target) in [
        ("to-file", Path::new("../outside/secret")),
        ("to-folder", Path::new("../outside")),
        ("absolute", absolute.as_path()),
        ("root", Path::new("/")),
        ("proc", Path::new("/proc/self/root")),
        ("loop", Path::new("loop")),
        ("dangling", Path::new("../outside/new")),
    ] {
        symlink(target, workspace.join(name)).unwrap();
    }
    symlink("to-folder", workspace.join("inside/two-steps")).unwrap();
    symlink("../..", workspace.join("inside/up")).unwrap();
    for way in WAYS {
        let jail = place.jail(way);
        for path in [
            "to-file",
            "to-folder/secret",
            "to-folder/deep/secret",
            "absolute/secret",
            "root/etc/passwd",
            "proc/etc/passwd",
            "inside/two-steps/secret",
            "inside/up/outside/secret",
            "loop",
            "dangling",
        ] {
            assert!(read(&jail, path).is_err(), "{way:?} reads {path}");
        }
        for path in ["to-folder", "absolute", "root", "proc", "inside/up", "loop"] {
            assert!(list(&jail, path).is_err(), "{way:?} lists {path}");
        }
        for path in [
            "to-folder/new",
            "to-folder/deep/new",
            "to-folder/made/new",
            "absolute/new",
            "inside/up/outside/new",
            "proc/tmp/new",
        ] {
            assert!(write(&jail, path).is_err(), "{way:?} writes {path}");
            place.outside_is_untouched(path);
        }
    }
}

#[test]
fn writing_where_a_link_stands_replaces_the_link() {
    for way in WAYS {
        let place = Place::new();
        let link = place.path("workspace/link");
        symlink("../outside/secret", &link).unwrap();
        write(&place.jail(way), "link").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{way:?}");
        assert_eq!(fs::read(&link).unwrap(), b"written");
        place.outside_is_untouched("writing at a link");
    }
}

#[test]
fn a_link_that_stays_inside_is_followed_by_the_kernel_and_refused_by_the_walk() {
    let place = Place::new();
    symlink("inside", place.path("workspace/near")).unwrap();
    assert_eq!(
        read(&place.jail(Beneath::Kernel), "near/file").unwrap(),
        b"inside"
    );
    let error = read(&place.jail(Beneath::Walk), "near/file").unwrap_err();
    assert_eq!(error.kind(), "io", "{}", chain(&error));
}

#[test]
fn a_hard_link_is_not_read_and_not_written_through() {
    for way in WAYS {
        let place = Place::new();
        fs::hard_link(place.path("outside/secret"), place.path("workspace/hard")).unwrap();
        let jail = place.jail(way);
        let error = read(&jail, "hard").unwrap_err();
        assert!(error.to_string().contains("hard links"), "{error}");
        write(&jail, "hard").unwrap();
        assert_eq!(
            fs::read(place.path("workspace/hard")).unwrap(),
            b"written",
            "{way:?}"
        );
        place.outside_is_untouched("writing at a hard link");
    }
}

#[test]
fn only_regular_files_are_opened_and_nothing_waits() {
    for way in WAYS {
        let place = Place::new();
        let pipe = place.path("workspace/pipe");
        rustix::fs::mkfifoat(CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.path("workspace/socket")).unwrap();
        let jail = place.jail(way);
        for path in ["pipe", "socket", "inside", "."] {
            assert!(read(&jail, path).is_err(), "{way:?} reads {path}");
            assert!(write(&jail, path).is_err(), "{way:?} writes {path}");
        }
        assert!(write(&jail, "/workspace").is_err(), "{way:?}");
    }
}

#[test]
fn a_folder_that_may_only_be_read_is_only_read() {
    for way in WAYS {
        let place = Place::new();
        let jail = place.jail(way);
        assert_eq!(read(&jail, "/skills/skill.md").unwrap(), b"skill");
        for path in ["/skills/skill.md", "/skills/new", "/workspace/../skills/new"] {
            assert_eq!(
                write(&jail, path).unwrap_err().kind(),
                "read-only",
                "{way:?} {path}"
            );
        }
        assert_eq!(fs::read_dir(place.path("skills")).unwrap().count(), 1);
    }
}

#[test]
fn what_is_written_appears_whole_and_keeps_its_mode() {
    for way in WAYS {
        let place = Place::new();
        let jail = place.jail(way);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        write(&jail, "new/folder/file").unwrap();
        assert_eq!(mode(&place.path("workspace/new/folder/file")), 0o644);
        let script = place.path("workspace/script");
        fs::write(&script, "old").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o4755)).unwrap();
        write(&jail, "script").unwrap();
        assert_eq!(mode(&script), 0o755, "executable stays, set-user-id does not");
        let longest = "n".repeat(255);
        write(&jail, &longest).unwrap();
        assert_eq!(read(&jail, &longest).unwrap(), b"written");
        let names = fs::read_dir(place.path("workspace")).unwrap();
        let hidden = names.filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        });
        assert_eq!(hidden.count(), 0, "no temporary file is left");
    }
}

#[test]
fn a_listing_is_bounded_and_says_how_much_there_is() {
    let place = Place::new();
    for n in 0..2010 {
        fs::write(place.path(&format!("workspace/inside/{n}")), "").unwrap();
    }
    for way in WAYS {
        let jail = place.jail(way);
        let (entries, total) = jail.list(&jail.resolve("inside").unwrap()).unwrap();
        assert_eq!((entries.len(), total), (2000, 2011));
    }
}

/// Exchanges a folder and a link to the outside, again and again, until it is told to stop.
fn swap(folder: &Path, link: &Path, stop: &AtomicBool) -> usize {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, folder, CWD, link, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
    }
    swaps
}

/// Uses files below a name that is now a folder, now a link to the outside.
fn race(way: Beneath, name: &str, target: &str, work: impl Fn(&Jail) -> bool) {
    let place = Place::new();
    let folder = place.path(&format!("workspace/{name}"));
    fs::create_dir_all(folder.join("deep")).unwrap();
    fs::write(folder.join("secret"), "harmless").unwrap();
    fs::write(folder.join("deep/secret"), "harmless").unwrap();
    let link = place.path("workspace/link");
    symlink(place.path(target), &link).unwrap();
    let jail = place.jail(way);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| swap(&folder, &link, &stop));
        let (mut done, mut rounds) = (0, 0);
        // Until both the work and its refusal were seen often; a machine that is busy needs more rounds.
        while (rounds < 5_000 || done < 50 || rounds - done < 50) && rounds < 2_000_000 {
            done += usize::from(work(&jail));
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        let swaps = swapping.join().unwrap();
        assert!(
            done >= 50 && rounds - done >= 50 && swaps > 100,
            "{done} of {rounds}, {swaps} swaps"
        );
    });
    let (mut inside, mut outside) = (0, 0);
    for entry in fs::read_dir(place.path("outside")).unwrap() {
        let name = entry.unwrap().file_name();
        outside += usize::from(name != "deep" && name != "secret");
        inside += 1;
    }
    assert_eq!((inside, outside), (2, 0), "nothing was made outside");
    place.outside_is_untouched("the race");
}

#[test]
fn reading_never_follows_a_folder_that_becomes_a_link() {
    for way in WAYS {
        for path in ["race/secret", "race/deep/secret"] {
            race(way, "race", "outside", |jail| match read(jail, path) {
                Ok(bytes) => {
                    assert_ne!(bytes, SECRET, "{way:?} {path}");
                    true
                }
                Err(_) => false,
            });
        }
    }
}

#[test]
fn writing_never_follows_a_folder_that_becomes_a_link() {
    for way in WAYS {
        for path in ["race/written", "race/deep/written", "race/made/deeper/written"] {
            race(way, "race", "outside", |jail| write(jail, path).is_ok());
        }
    }
}

#[test]
fn listing_never_follows_a_folder_that_becomes_a_link() {
    for way in WAYS {
        race(way, "race", "outside/deep", |jail| match list(jail, "race") {
            // The folder has two entries, the place outside has one.
            Ok(count) => {
                assert_eq!(count, 2, "{way:?}");
                true
            }
            Err(_) => false,
        });
    }
}
