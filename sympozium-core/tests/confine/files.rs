//! Files inside and outside of a process's rules.

use crate::child::{Outcome, Task, again, skipped, task};
use std::fs;
use std::path::{Path, PathBuf};
use sympozium_core::confine::{FileRules, restrict_files};
use tempfile::TempDir;

/// Two folders with a file each: one that can be changed, one that can be read, and one that is out of reach.
struct Folders(TempDir);

impl Folders {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "data", "secret"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("file"), name).unwrap();
        }
        Self(folder)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn rules(&self) -> FileRules {
        let programs = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/there/is/no/such/path"];
        let mut read: Vec<PathBuf> = programs.iter().map(PathBuf::from).collect();
        read.push(self.at("data"));
        FileRules {
            read,
            write: vec![self.at("work"), "/dev/null".into()],
        }
    }

    fn inside(&self, script: &str) -> Outcome {
        Task::within(self.rules()).shell(&self.script(script))
    }

    fn script(&self, script: &str) -> String {
        format!("cd {}/work && {script}", self.0.path().display())
    }

    /// It works for others, and not by these rules.
    #[track_caller]
    fn denied(&self, script: &str) {
        let outcome = self.inside(script);
        assert!(!outcome.fine(), "{script}: {outcome:?}");
        let control = Task::default().shell(&self.script(script));
        assert!(control.fine(), "{script} without rules: {control:?}");
    }

    #[track_caller]
    fn works(&self, script: &str) {
        let outcome = self.inside(script);
        assert!(outcome.fine(), "{script}: {outcome:?}");
    }
}

/// Whether the kernel has Landlock of that version; says so when it has not.
pub(crate) fn has_landlock(version: u32) -> bool {
    let said = again("files::reports", "report").said;
    let found = said.parse().unwrap_or(0) >= version;
    if !found {
        skipped(&format!(
            "Landlock {version} is needed, and this kernel has: {said}"
        ));
    }
    found
}

#[test]
fn reports() {
    if task().is_some() {
        let rules = FileRules {
            read: vec![Path::new("/").to_owned()],
            write: vec![],
        };
        let version = restrict_files(&rules).unwrap();
        eprintln!("{}", version.unwrap_or(0));
    }
}

#[test]
fn what_the_rules_name_can_be_read_changed_and_executed() {
    let folders = Folders::new();
    folders.works("cat file ../data/file && ls ../data");
    folders.works("echo x > new && mkdir d && mv new d/moved && ln d/moved link && rm -r d link && : > file");
    folders.works("cp /bin/true own && ./own && mkfifo pipe && ln -s file soft");
}

#[test]
fn files_outside_can_not_be_read() {
    if has_landlock(1) {
        let folders = Folders::new();
        folders.denied("cat ../secret/file");
        folders.denied("ls ../secret");
        folders.denied("ls /");
        folders.denied("ln -sf ../secret/file soft && cat soft");
    }
}

#[test]
fn files_outside_can_not_be_written_made_or_removed() {
    if has_landlock(1) {
        let folders = Folders::new();
        folders.denied("echo x >> ../secret/file");
        folders.denied("mkdir ../secret/new");
        folders.denied("touch ../secret/touched");
        folders.denied("mkfifo ../secret/pipe");
        folders.denied("ln -s x ../secret/soft");
        folders.denied("rm ../secret/soft");
    }
}

#[test]
fn what_can_be_read_can_not_be_changed() {
    if has_landlock(3) {
        let folders = Folders::new();
        folders.denied("echo x >> ../data/file");
        folders.denied("truncate -s 1 ../data/file");
        folders.denied("touch ../data/new");
        folders.denied("rm ../data/new");
        assert_eq!(fs::read_to_string(folders.at("data/file")).unwrap().len(), 1);
    }
}

#[test]
fn nothing_is_linked_or_moved_across() {
    if has_landlock(2) {
        let folders = Folders::new();
        folders.denied("ln ../secret/file linked");
        folders.denied("mv ../secret/file moved");
        let folders = Folders::new();
        folders.denied("mv file ../secret/moved");
        let folders = Folders::new();
        folders.denied("ln file ../data/linked");
    }
}

#[test]
fn truncating_outside_is_denied() {
    if has_landlock(3) {
        let folders = Folders::new();
        folders.denied("truncate -s 0 ../secret/file");
        assert_eq!(fs::read(folders.at("secret/file")).unwrap(), b"");
    }
}

#[test]
fn without_any_rule_not_even_a_program_starts() {
    if has_landlock(1) {
        let outcome = Task::within(FileRules::default()).shell("true");
        assert!(outcome.said.contains("Permission denied"), "{outcome:?}");
    }
}

#[test]
fn a_rule_can_name_a_single_file() {
    if has_landlock(1) {
        let folders = Folders::new();
        let mut rules = folders.rules();
        rules.write = vec![folders.at("secret/file"), "/dev/null".into()];
        let task = Task::within(rules);
        let script = |text: &str| folders.script(text);
        assert!(task.clone().shell(&script("echo x > ../secret/file")).fine());
        assert!(!task.clone().shell(&script("ls ../secret")).fine());
        assert!(!task.shell(&script("touch ../secret/other")).fine());
    }
}
