//! What a model may write as a path, against the kernel: every trick fails in every operation, in both ways of opening.
#![cfg(feature = "ipc")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use sympozium_core::error::{Classify, chain};
use sympozium_core::jail::{Access, Beneath, Jail, JailError, Root};

const SECRET: &str = "what lies outside";

/// A folder with a workspace, read-only skills, and something outside of both.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["work/sub", "skills", "outside"] {
            fs::create_dir_all(world.at(name)).unwrap();
        }
        fs::write(world.at("outside/secret"), SECRET).unwrap();
        fs::write(world.at("work/sub/inside"), "inside").unwrap();
        fs::write(world.at("skills/k.md"), "skill").unwrap();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn jail(&self, way: Beneath) -> Jail {
        let root = |mount: &str, name: &str, access| Root {
            mount: mount.into(),
            dir: self.at(name),
            access,
        };
        let roots = vec![
            root("/workspace", "work", Access::ReadWrite),
            root("/skills", "skills", Access::ReadOnly),
        ];
        Jail::open_with(roots, way).unwrap()
    }

    /// Everything that is outside, with its content and who else points at it.
    fn outside(&self) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(self.at("outside")).unwrap();
        let mut all: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read_to_string(&path).unwrap_or_default()))
            .collect();
        all.sort();
        all
    }
}

/// Both ways of opening; this kernel has to know the first, or the tests would show nothing about it.
fn ways() -> [Beneath; 2] {
    assert_eq!(Beneath::detect(), Beneath::Kernel, "this kernel has no openat2");
    [Beneath::Kernel, Beneath::Walk]
}

fn read(jail: &Jail, path: &str) -> Result<String, JailError> {
    let content = jail.read(&jail.resolve(path)?, 0, 1000)?;
    Ok(String::from_utf8(content.bytes).unwrap())
}

fn write(jail: &Jail, path: &str, text: &str) -> Result<(), JailError> {
    jail.write(&jail.resolve(path)?, text.as_bytes())
}

fn list(jail: &Jail, path: &str) -> Result<Vec<String>, JailError> {
    let (entries, _) = jail.list(&jail.resolve(path)?)?;
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

/// Checks that nothing can be done with a path, and that nothing outside is touched by trying.
fn nothing_works(world: &World, jail: &Jail, path: &str) {
    let before = world.outside();
    let error = read(jail, path).map(|text| format!("read {text:?}")).unwrap_err();
    assert!(!chain(&error).contains(SECRET), "{path}: {}", chain(&error));
    list(jail, path)
        .map(|names| format!("listed {names:?}"))
        .unwrap_err();
    write(jail, path, "overwritten").unwrap_err();
    assert_eq!(world.outside(), before, "{path}");
}

#[test]
fn paths_that_climb_out_are_refused_by_their_text() {
    let world = World::new();
    for way in ways() {
        let jail = world.jail(way);
        let outside = world.at("outside/secret");
        for path in [
            "../outside/secret",
            "sub/../../outside/secret",
            "/workspace/../outside/secret",
            "/workspace/sub/../../../etc/passwd",
            "./.././../etc/passwd",
            "/etc/passwd",
            "/proc/self/root/etc/passwd",
            "/proc/self/cwd/Cargo.toml",
            "/proc/self/fd/0",
            "/dev/stdin",
            "//etc/passwd",
            outside.to_str().unwrap(),
            &"../".repeat(1000),
        ] {
            nothing_works(&world, &jail, path);
        }
    }
}

#[test]
fn links_that_lead_out_are_followed_by_no_operation() {
    let world = World::new();
    let links = [
        ("file", "../outside/secret".into()),
        ("folder", "../outside".into()),
        ("absolute", world.at("outside/secret")),
        ("root", PathBuf::from("/")),
        ("process", PathBuf::from("/proc/self/root")),
        ("process-cwd", PathBuf::from("/proc/self/cwd")),
        ("relative-root", PathBuf::from("../../../../../../../../../..")),
        ("chain", PathBuf::from("folder")),
        ("loop", PathBuf::from("loop")),
    ];
    for (name, target) in &links {
        symlink(target, world.at("work").join(name)).unwrap();
    }
    symlink("../../outside", world.at("work/sub/deep")).unwrap();
    let secret = world.at("outside/secret");
    let below_root = secret.strip_prefix("/").unwrap().to_str().unwrap();
    for way in ways() {
        let jail = world.jail(way);
        for path in [
            "folder/secret",
            "sub/deep/secret",
            "chain/secret",
            "loop/secret",
            &format!("root/{below_root}"),
            &format!("process/{below_root}"),
            &format!("relative-root/{below_root}"),
            "process-cwd/Cargo.toml",
            "folder/new",
            "sub/deep/new/deeper",
        ] {
            nothing_works(&world, &jail, path);
        }
        for (name, _) in &links {
            read(&jail, name).unwrap_err();
            list(&jail, name).unwrap_err();
        }
    }
}

#[test]
fn writing_to_a_link_replaces_the_link_and_not_what_it_leads_to() {
    let world = World::new();
    for way in ways() {
        let link = world.at("work/link");
        symlink(world.at("outside/secret"), &link).unwrap();
        let before = world.outside();
        write(&world.jail(way), "link", "mine").unwrap();
        assert_eq!(world.outside(), before);
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn a_link_that_stays_inside_is_followed_by_the_kernel_and_refused_by_the_walk() {
    let world = World::new();
    symlink("sub", world.at("work/in")).unwrap();
    assert_eq!(read(&world.jail(Beneath::Kernel), "in/inside").unwrap(), "inside");
    read(&world.jail(Beneath::Walk), "in/inside").unwrap_err();
}

#[test]
fn a_hard_link_is_not_read_and_writing_leaves_its_other_name_alone() {
    let world = World::new();
    for way in ways() {
        let hard = world.at("work/hard");
        fs::hard_link(world.at("outside/secret"), &hard).unwrap();
        let jail = world.jail(way);
        assert_eq!(read(&jail, "hard").unwrap_err().kind(), "kind");
        write(&jail, "hard", "mine").unwrap();
        assert_eq!(fs::read_to_string(world.at("outside/secret")).unwrap(), SECRET);
        assert_eq!(fs::metadata(&hard).unwrap().nlink(), 1);
        assert_eq!(read(&jail, "hard").unwrap(), "mine");
        fs::remove_file(&hard).unwrap();
    }
}

#[test]
fn only_regular_files_are_read_and_written_and_nothing_waits() {
    let world = World::new();
    let pipe = world.at("work/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let _socket = UnixListener::bind(world.at("work/socket")).unwrap();
    for way in ways() {
        let jail = world.jail(way);
        for path in ["pipe", "socket", "sub", "."] {
            read(&jail, path).unwrap_err();
            write(&jail, path, "x").unwrap_err();
        }
        assert_eq!(read(&jail, "pipe").unwrap_err().kind(), "kind");
        list(&jail, "sub/inside").unwrap_err();
        write(&jail, "sub/inside/below", "x").unwrap_err();
    }
}

#[test]
fn a_read_only_root_is_read_and_never_written() {
    let world = World::new();
    for way in ways() {
        let jail = world.jail(way);
        assert_eq!(read(&jail, "/skills/k.md").unwrap(), "skill");
        for path in ["/skills/k.md", "/skills/new", "/skills/deep/new"] {
            assert_eq!(write(&jail, path, "x").unwrap_err().kind(), "read-only");
        }
        // By the real place of the folder it is the same root.
        let real = world.at("skills/k.md");
        let error = write(&jail, real.to_str().unwrap(), "x").unwrap_err();
        assert_eq!(error.kind(), "read-only");
        assert_eq!(list(&jail, "/skills").unwrap(), ["k.md"]);
    }
}

#[test]
fn what_is_written_appears_whole_with_its_mode_and_leaves_no_rest() {
    let world = World::new();
    for way in ways() {
        let jail = world.jail(way);
        write(&jail, "new/deep/file", "one").unwrap();
        let file = world.at("work/new/deep/file");
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), 0o644);
        // A program keeps its mode; what would give it its owner's rights goes.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4750)).unwrap();
        write(&jail, "new/deep/file", "two").unwrap();
        assert_eq!(mode(), 0o750);
        assert_eq!(read(&jail, "new/deep/file").unwrap(), "two");
        assert_eq!(list(&jail, "new/deep").unwrap(), ["file"]);
        fs::remove_dir_all(world.at("work/new")).unwrap();
    }
}

#[test]
fn a_tilde_a_variable_and_a_star_are_only_names_and_names_may_be_long() {
    let longest = "n".repeat(255);
    for way in ways() {
        let world = World::new();
        let jail = world.jail(way);
        for path in [
            "~/.ssh/id_rsa",
            "$HOME/file",
            "*/file",
            "a;b",
            "-rf",
            longest.as_str(),
        ] {
            write(&jail, path, "x").unwrap();
            assert_eq!(fs::read(world.at("work").join(path)).unwrap(), b"x", "{path}");
        }
    }
}

#[test]
fn a_listing_is_bounded_and_says_how_much_there_is() {
    let world = World::new();
    fs::create_dir(world.at("work/many")).unwrap();
    for n in 0..2010 {
        fs::write(world.at(&format!("work/many/{n}")), "").unwrap();
    }
    for way in ways() {
        let jail = world.jail(way);
        let (entries, total) = jail.list(&jail.resolve("many").unwrap()).unwrap();
        assert_eq!((entries.len(), total), (2000, 2010));
    }
}

#[test]
fn a_root_that_is_renamed_or_replaced_stays_the_one_that_was_opened() {
    for way in ways() {
        let world = World::new();
        let jail = world.jail(way);
        fs::rename(world.at("work"), world.at("moved")).unwrap();
        symlink(world.at("outside"), world.at("work")).unwrap();
        assert_eq!(read(&jail, "sub/inside").unwrap(), "inside");
        read(&jail, "secret").unwrap_err();
        write(&jail, "new", "x").unwrap();
        assert!(world.at("moved/new").is_file());
    }
}

/// Ends the swapping also when the test fails; it would be waited for otherwise.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Swaps a folder for a link that leads out, and back, as fast as it can. There is always one of them.
fn swap_until(stop: &AtomicBool, place: &Path, outside: &Path) {
    let link = place.with_extension("link");
    symlink(outside, &link).unwrap();
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, place, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    }
}

#[test]
fn a_folder_that_is_swapped_for_a_link_in_the_middle_leads_nowhere() {
    for way in ways() {
        let world = World::new();
        fs::write(world.at("work/sub/secret"), "harmless").unwrap();
        let jail = world.jail(way);
        let stop = AtomicBool::new(false);
        let before = world.outside();
        std::thread::scope(|scope| {
            scope.spawn(|| swap_until(&stop, &world.at("work/sub"), &world.at("outside")));
            let _stop = Stop(&stop);
            let (mut worked, mut refused) = (0, 0);
            // Thousands of times, and until both were seen often: the folder, and something else in its place.
            for round in 0..200_000 {
                match read(&jail, "sub/secret") {
                    Ok(text) => {
                        assert_eq!(text, "harmless");
                        worked += 1;
                    }
                    Err(_) => refused += 1,
                }
                let _ = write(&jail, "sub/new/file", "mine");
                if let Ok(names) = list(&jail, "sub") {
                    assert!(names.contains(&"inside".to_owned()), "{names:?}");
                }
                if round > 5_000 && worked > 100 && refused > 100 {
                    break;
                }
            }
            assert!(
                worked > 0 && refused > 0,
                "{worked} worked, {refused} were refused"
            );
        });
        assert_eq!(world.outside(), before);
    }
}
