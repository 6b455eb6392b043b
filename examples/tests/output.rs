//! Each example prints what `expected/` holds for it.
//!
//! The programs have to be built: `cargo test -p sympozium-examples` does so, and `cargo xtask test` too. When cargo is
//! told which kinds of targets to test, it builds no examples.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Examples are built beside the folder of this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap();
    built.join("examples").join(name)
}

fn stems(folder: &Path, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_example_prints_what_is_expected() {
    let names = stems(here(), "rs");
    assert_eq!(
        names,
        stems(&here().join("expected"), "txt"),
        "each example has one file in expected/"
    );
    for name in &names {
        let path = program(name);
        assert!(
            path.is_file(),
            "{} is not built; build it with: cargo build --workspace --all-features --examples",
            path.display()
        );
        // Nothing of the user's own may have a say in it.
        let output = Command::new(&path).env_clear().output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed: {errors}");
        let wanted = std::fs::read_to_string(here().join("expected").join(format!("{name}.txt"))).unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        assert!(
            found == wanted,
            "{name} prints something else:\n{found}\nexpected:\n{wanted}"
        );
        assert_eq!(errors, "", "{name} complains");
    }
}

#[test]
fn every_header_says_how_to_run_the_example() {
    for name in stems(here(), "rs") {
        let text = std::fs::read_to_string(here().join(format!("{name}.rs"))).unwrap();
        let call = format!("cargo run -p sympozium-examples --example {name}");
        let header: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(
            header.len() >= 3 && header.iter().any(|line| line.contains(&call)),
            "{name}.rs says what it shows and how to run it"
        );
        assert!(
            std::fs::read_to_string(here().join("Cargo.toml"))
                .unwrap()
                .contains(&format!("name = \"{name}\"")),
            "{name} is a target"
        );
    }
}
