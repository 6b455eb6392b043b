//! The block in which an agent says what to remember, and how it is told to. Pure.

/// Opens the block.
pub const START: &str = "__SYMPOZIUM_MEMORY__";
/// Closes the block.
pub const END: &str = "__SYMPOZIUM_MEMORY_END__";

/// An agent's answer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The last memory block; `None` when there is none.
    pub memory: Option<String>,
    /// The answer without any memory block.
    pub answer: String,
}

/// Takes the memory blocks out of an answer. A block that is never closed is left where it is.
///
/// ```
/// # use sympozium_core::memory::extract;
/// let taken = extract("Done.\n__SYMPOZIUM_MEMORY__\n## Team\nAsk Ana.\n__SYMPOZIUM_MEMORY_END__\n");
/// assert_eq!(taken.answer, "Done.");
/// assert_eq!(taken.memory.as_deref(), Some("## Team\nAsk Ana."));
/// ```
pub fn extract(text: &str) -> Extracted {
    let mut memory = None;
    let mut answer = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        let Some((block, behind)) = after.split_once(END) else {
            break;
        };
        answer.push_str(before.trim_end());
        // A start marker inside a block is a second start: the block is what stands after the last one.
        let block = block.rsplit_once(START).map_or(block, |(_, last)| last);
        memory = Some(block.trim().to_owned());
        rest = behind;
    }
    answer.push_str(rest);
    let answer = if memory.is_some() {
        answer.trim_end().to_owned()
    } else {
        answer
    };
    Extracted { memory, answer }
}

/// What an agent is told about its memory, with the cap in bytes.
pub fn instruction(max_bytes: u32) -> String {
    format!(
        "You have a long-term memory, a Markdown text with sections (`## Heading`). To change it, end your final answer \
         with a block of exactly this form:\n\n{START}\n## Heading\nwhat to remember\n{END}\n\n\
         Write only the sections that change; the others stay. A section without text below its heading is removed. Keep \
         the whole memory below {} KiB. Remember facts that help in later runs; never passwords, keys or tokens.",
        max_bytes / 1024
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, memory: Option<&str>, answer: &str) {
        assert_eq!(
            extract(text),
            Extracted {
                memory: memory.map(str::to_owned),
                answer: answer.to_owned()
            }
        );
    }

    #[test]
    fn the_last_block_counts_and_all_are_taken_out() {
        check("plain \n", None, "plain \n");
        check(
            &format!("a\n{START}\nx\n{END}\nb {START}y{END}"),
            Some("y"),
            "a\nb",
        );
        check(
            &format!("a {START} never closed"),
            None,
            &format!("a {START} never closed"),
        );
        check(&format!("a {START} one {START} two {END}"), Some("two"), "a");
        check(&format!("{END} a"), None, &format!("{END} a"));
        check(&format!("{START}{END}"), Some(""), "");
    }
}
