//! `read_file`, `write_file`, `list_directory`. How a path is resolved is not decided here but by [`Files`].

use super::page::{MAX_ENTRIES, MAX_FILE_PAGE, file_page};
use super::surroundings::{Files, Listing, Trouble};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;
use sympozium_core::tool::{Tool, ToolContext, ToolOutput};

/// Reads files.
#[derive(Clone)]
pub struct ReadFile(pub Arc<dyn Files>);

/// Writes files.
#[derive(Clone)]
pub struct WriteFile(pub Arc<dyn Files>);

/// Lists directories.
#[derive(Clone)]
pub struct ListDirectory(pub Arc<dyn Files>);

macro_rules! debug_by_name {
    ($($tool:ident),*) => {$(
        impl fmt::Debug for $tool {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($tool))
            }
        }
    )*};
}

debug_by_name!(ReadFile, WriteFile, ListDirectory);

/// Arguments of `read_file`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ReadFileArgs {
    /// The file.
    path: String,
    /// The first byte to show, from 0. Default 0.
    #[serde(default)]
    offset: u64,
    /// How many bytes to show. Default and most: 100000.
    #[schemars(range(min = 1, max = 100_000))]
    limit: Option<u32>,
}

/// Arguments of `write_file`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WriteFileArgs {
    /// The file; folders above it are made.
    path: String,
    /// What is to be in it; what was in it is replaced.
    content: String,
}

/// Arguments of `list_directory`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ListDirectoryArgs {
    /// The directory.
    path: String,
}

impl Tool for ReadFile {
    const NAME: &'static str = "read_file";
    const DESCRIPTION: &'static str = "Reads a text file. A long file comes in pieces: the end of the output says with which offset to read on.";
    type Args = ReadFileArgs;
    type Error = Trouble;

    async fn call(&self, _: &ToolContext, args: ReadFileArgs) -> Result<ToolOutput, Trouble> {
        let limit = args
            .limit
            .map_or(MAX_FILE_PAGE, |n| (n as usize).clamp(1, MAX_FILE_PAGE));
        let piece = self.0.read(&args.path, args.offset, limit).await?;
        Ok(ToolOutput::text(file_page(
            &piece.bytes,
            args.offset,
            piece.total,
        )))
    }
}

impl Tool for WriteFile {
    const NAME: &'static str = "write_file";
    const DESCRIPTION: &'static str =
        "Writes a whole file, making folders as needed and replacing what was there.";
    type Args = WriteFileArgs;
    type Error = Trouble;

    async fn call(&self, _: &ToolContext, args: WriteFileArgs) -> Result<ToolOutput, Trouble> {
        self.0.write(&args.path, &args.content).await?;
        Ok(ToolOutput::text(format!(
            "Wrote {} bytes to {}.",
            args.content.len(),
            args.path
        )))
    }
}

impl Tool for ListDirectory {
    const NAME: &'static str = "list_directory";
    const DESCRIPTION: &'static str =
        "Lists a directory: one line per entry with kind, size in bytes, and name.";
    type Args = ListDirectoryArgs;
    type Error = Trouble;

    async fn call(&self, _: &ToolContext, args: ListDirectoryArgs) -> Result<ToolOutput, Trouble> {
        let listing = self.0.list(&args.path, MAX_ENTRIES).await?;
        Ok(ToolOutput::text(lines(&listing)))
    }
}

fn lines(listing: &Listing) -> String {
    if listing.total == 0 {
        return "(the directory is empty)".to_owned();
    }
    let mut lines: Vec<String> = listing
        .entries
        .iter()
        // A name may hold a line feed; it must not look like two entries.
        .map(|e| format!("{:<5} {:>10} {}", e.kind.as_str(), e.size, e.name.escape_debug()))
        .collect();
    let left_out = listing.total.saturating_sub(listing.entries.len());
    if left_out > 0 {
        lines.push(format!(
            "[cut: {left_out} more of {} entries; list sub-directories one by one, or use a command]",
            listing.total
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::surroundings::{Entry, EntryKind};
    use super::*;

    #[test]
    fn a_listing_has_one_line_per_entry_and_says_what_is_missing() {
        let entry = |name: &str, kind, size| Entry {
            name: name.to_owned(),
            kind,
            size,
        };
        let entries = vec![
            entry("a\nb", EntryKind::File, 12),
            entry("d", EntryKind::Directory, 0),
        ];
        assert_eq!(
            lines(&Listing { entries, total: 5 }),
            "file          12 a\\nb\ndir            0 d\n\
             [cut: 3 more of 5 entries; list sub-directories one by one, or use a command]"
        );
        assert_eq!(
            lines(&Listing {
                entries: vec![],
                total: 0
            }),
            "(the directory is empty)"
        );
    }
}
