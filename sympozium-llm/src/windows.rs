//! How many tokens fit into a model's window, told from its name. Pure.
//!
//! Providers do not say it over the wire, and without it old tool output could be shortened only after a call had failed.

/// The start of a model's name, and its window in tokens, as the providers' own pages on models give it (2025). The first
/// row that fits holds, so longer names come first.
const WINDOWS: &[(&str, u32)] = &[
    ("claude-", 200_000),
    ("gpt-5", 400_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("chatgpt-4o", 128_000),
    ("gpt-4-turbo", 128_000),
    ("gpt-4", 8_192),
    ("gpt-3.5-turbo", 16_385),
    ("o1-mini", 128_000),
    ("o1-preview", 128_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4-mini", 200_000),
];

/// The window of a model, input and output together; `None` when its name tells nothing. A router's prefix
/// (`openai/gpt-4o`) is passed over.
pub(crate) fn window_of(model: &str) -> Option<u32> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let fits = |start: &&str| name.starts_with(*start);
    WINDOWS
        .iter()
        .find(|(start, _)| fits(start))
        .map(|(_, tokens)| *tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_name_holds_and_unknown_models_have_no_window() {
        for (model, tokens) in [
            ("gpt-4o-mini", Some(128_000)),
            ("gpt-4.1-nano", Some(1_047_576)),
            ("gpt-4-0613", Some(8_192)),
            ("o1-mini", Some(128_000)),
            ("o3-mini", Some(200_000)),
            ("claude-sonnet-4-5", Some(200_000)),
            ("anthropic/claude-3-haiku", Some(200_000)),
            ("llama3.2", None),
            ("my-gpt-4o", None),
        ] {
            assert_eq!(window_of(model), tokens, "{model}");
        }
    }
}
