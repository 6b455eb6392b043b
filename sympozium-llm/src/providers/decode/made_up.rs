//! Names and ids that a model or its server made up. Pure.

use sympozium_core::ids::{CallId, ToolName};

/// The tool's name, or the nearest thing to it that is one: models invent names such as `functions.read_file`, and are
/// then told that there is no such tool.
pub(super) fn tool_name(said: &str) -> Option<ToolName> {
    let fitting = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = said
        .chars()
        .map(|c| if fitting(c) { c } else { '_' })
        .take(64)
        .collect();
    ToolName::new(name).ok()
}

/// The call's id, or one made of its place for servers that give none.
pub(super) fn call_id(said: Option<&str>, index: u32) -> Option<CallId> {
    let given = said.and_then(|id| CallId::new(id).ok());
    given.or_else(|| CallId::new(format!("call_{index}")).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_names_become_names_of_tools_that_there_are_not() {
        for (said, expected) in [
            ("read_file", Some("read_file")),
            ("functions.read_file", Some("functions_read_file")),
            ("läs fil", Some("l_s_fil")),
            ("", None),
        ] {
            assert_eq!(tool_name(said).as_ref().map(ToolName::as_str), expected, "{said}");
        }
        assert_eq!(tool_name(&"x".repeat(100)).unwrap().as_str().len(), 64);
    }

    #[test]
    fn a_call_without_a_usable_id_gets_one_from_its_place() {
        for (said, expected) in [
            (Some("a"), "a"),
            (None, "call_3"),
            (Some(""), "call_3"),
            (Some("\n"), "call_3"),
        ] {
            assert_eq!(call_id(said, 3).unwrap().as_str(), expected);
        }
    }
}
