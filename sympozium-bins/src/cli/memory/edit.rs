//! How a person changes a text: in an editor, or by a file.

use crate::cli::failure::Failure;
use crate::cli::objects;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The editor of those who chose none.
const DEFAULT_EDITOR: &str = "vi";

/// The text of a file, or of standard input.
pub(super) fn text_from(path: &Path) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        return std::io::read_to_string(stdin().lock())
            .map_err(|error| Failure::input(format!("Standard input can't be read: {error}.")));
    }
    objects::read_text(path)
}

/// What a person makes of a text in an editor. The file is for them alone, and removed afterwards.
pub(super) fn in_editor(text: &str, editor: Option<&str>) -> Result<String, Failure> {
    let editor = match editor {
        Some(editor) => editor,
        // Without a terminal it would read nothing, and fill the output with escape codes.
        None if stdin().is_terminal() && stdout().is_terminal() => DEFAULT_EDITOR,
        None => {
            return Err(Failure::input(
                "There is no terminal to edit on: give the text with --from FILE (`-` for standard input), or name an editor in EDITOR.",
            ));
        }
    };
    let broken = |error| Failure::failed(format!("The text could not be brought to the editor: {error}."));
    let mut file = tempfile::Builder::new()
        .prefix("sympozium-memory-")
        .suffix(".md")
        .tempfile()
        .map_err(broken)?;
    file.write_all(text.as_bytes()).map_err(broken)?;
    // A setting such as `code --wait` brings arguments of its own.
    let mut words = editor.split_whitespace();
    let status = Command::new(words.next().unwrap_or(DEFAULT_EDITOR))
        .args(words)
        .arg(file.path())
        .status()
        .map_err(|error| Failure::input(format!("The editor {editor:?} can't be started: {error}.")))?;
    if !status.success() {
        return Err(Failure::failed(format!(
            "The editor {editor:?} ended with {status}; the memory stays as it is."
        )));
    }
    // Editors replace files, so the file is read by its name.
    objects::read_text(file.path())
}

/// Keeps a text in a file that stays.
pub(super) fn keep(text: &str) -> std::io::Result<PathBuf> {
    let mut file = tempfile::Builder::new()
        .prefix("sympozium-memory-")
        .suffix(".md")
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}
