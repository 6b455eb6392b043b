//! Finds and reads the files that a flag names: a file, all manifests of a folder, or `-` for standard input.

use super::super::failure::Failure;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes; what is larger is refused by whoever reads the text.
const MAX_BYTES: u64 = sympozium_k8s::documents::MAX_FILE_BYTES as u64 + 1;

/// Endings of manifests in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// The name of standard input among the files of a flag.
const STANDARD_INPUT: &str = "-";

/// Name and text of every file that `paths` stand for, in their order; those of a folder by name.
pub(super) fn texts(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT {
            texts.push(("standard input".to_owned(), standard_input()?));
        } else if path.is_dir() {
            let manifests = below(path, &ENDINGS)?;
            if manifests.is_empty() {
                return Err(Failure::input(format!(
                    "{}: the folder has no .yaml, .yml or .json file.",
                    path.display()
                )));
            }
            for file in manifests {
                texts.push((file.display().to_string(), read_text(&file)?));
            }
        } else {
            texts.push((path.display().to_string(), read_text(path)?));
        }
    }
    Ok(texts)
}

/// The text of a file of at most the size of a manifest.
pub(in crate::cli) fn read_text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::input(format!("{shown}: the file can't be read: {error}.")))?;
    bounded(file).map_err(|error| Failure::input(format!("{shown}: the file can't be read: {error}.")))
}

fn standard_input() -> Result<String, Failure> {
    bounded(std::io::stdin().lock())
        .map_err(|error| Failure::input(format!("Standard input can't be read: {error}.")))
}

fn bounded(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The files directly in a folder with one of these endings, by name.
pub(super) fn below(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| {
        Failure::input(format!(
            "{}: the folder can't be read: {error}.",
            folder.display()
        ))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let fits = path
            .extension()
            .is_some_and(|ending| endings.iter().any(|known| ending == *known));
        if fits && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
