//! Texts that take up what tools said. Pure.
//!
//! `{{ source | filter | filter }}`, where the source is `last_tool_result`, `tool_result.N` (the N-th of the
//! conversation, from 1) or a quoted text, and a filter is `after "TEXT"`, `before "TEXT"`, `line N` (from 1; -1 is the
//! last), `trim`, or `or "TEXT"`, which stands in for whatever could not be found before it.

use serde::Deserialize;

/// A text with references in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Reference(Source, Vec<Filter>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Last,
    /// From 1.
    Result(usize),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    After(String),
    Before(String),
    /// From 1, or from -1 backwards.
    Line(i64),
    Trim,
    Or(String),
}

impl Template {
    /// The text, given the contents of all tool results so far, oldest first. The error is one phrase.
    pub(super) fn render(&self, results: &[&str]) -> Result<String, String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(text.clone()),
                Piece::Reference(source, filters) => filters
                    .iter()
                    .fold(source.find(results), |found, filter| filter.apply(found)),
            })
            .collect()
    }
}

impl Source {
    fn find(&self, results: &[&str]) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Last => results
                .last()
                .map(|text| (*text).to_owned())
                .ok_or_else(|| "refers to the last tool result, but there is none".to_owned()),
            Self::Result(number) => number
                .checked_sub(1)
                .and_then(|index| results.get(index))
                .map(|text| (*text).to_owned())
                .ok_or_else(|| format!("refers to tool result {number}, but there are {}", results.len())),
        }
    }
}

impl Filter {
    fn apply(&self, found: Result<String, String>) -> Result<String, String> {
        let text = match (self, found) {
            (Self::Or(other), Err(_)) => return Ok(other.clone()),
            (_, Err(error)) => return Err(error),
            (_, Ok(text)) => text,
        };
        let missing = |what: &str| format!("looks for {what:?} in a tool result that has no such thing");
        match self {
            Self::After(mark) => text
                .split_once(mark)
                .map(|(_, after)| after.to_owned())
                .ok_or_else(|| missing(mark)),
            Self::Before(mark) => text
                .split_once(mark)
                .map(|(before, _)| before.to_owned())
                .ok_or_else(|| missing(mark)),
            Self::Line(number) => line(&text, *number)
                .map(ToOwned::to_owned)
                .ok_or_else(|| missing(&format!("line {number}"))),
            Self::Trim => Ok(text.trim().to_owned()),
            Self::Or(_) => Ok(text),
        }
    }
}

fn line(text: &str, number: i64) -> Option<&str> {
    let place = usize::try_from(number.unsigned_abs()).ok()?.checked_sub(1)?;
    if number > 0 {
        text.lines().nth(place)
    } else {
        text.lines().rev().nth(place)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, inside)) = rest.split_once("{{") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (tokens, after) = tokens(inside)?;
            pieces.push(reference(&tokens)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Pipe,
}

/// What stands before the closing braces, and what follows them.
fn tokens(inside: &str) -> Result<(Vec<Token>, &str), String> {
    let mut tokens = Vec::new();
    let mut rest = inside.trim_start();
    loop {
        let (token, after) = if let Some(after) = rest.strip_prefix("}}") {
            return Ok((tokens, after));
        } else if let Some(after) = rest.strip_prefix('|') {
            (Token::Pipe, after)
        } else if rest.starts_with('"') {
            quoted(rest)?
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '|' | '"' | '}'));
            match end {
                Some(end) if end > 0 => {
                    let (word, after) = rest.split_at(end);
                    (Token::Word(word.to_owned()), after)
                }
                _ => return Err("`{{` is not closed by `}}`".to_owned()),
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
}

/// A quoted text, with the escapes of JSON.
fn quoted(rest: &str) -> Result<(Token, &str), String> {
    let wrong = || "a quoted text inside `{{ }}` is not closed or not valid".to_owned();
    let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let text = texts.next().and_then(Result::ok).ok_or_else(wrong)?;
    let after = rest.get(texts.byte_offset()..).ok_or_else(wrong)?;
    Ok((Token::Text(text), after))
}

fn reference(tokens: &[Token]) -> Result<Piece, String> {
    let mut parts = tokens.split(|token| *token == Token::Pipe);
    let source = match parts.next().unwrap_or_default() {
        [Token::Text(text)] => Source::Text(text.clone()),
        [Token::Word(word)] => source(word)?,
        _ => return Err("`{{ }}` begins with last_tool_result, tool_result.N or a quoted text".to_owned()),
    };
    let filters = parts.map(filter).collect::<Result<_, _>>()?;
    Ok(Piece::Reference(source, filters))
}

fn source(word: &str) -> Result<Source, String> {
    if word == "last_tool_result" {
        return Ok(Source::Last);
    }
    let number = word
        .strip_prefix("tool_result.")
        .and_then(|number| number.parse().ok());
    match number {
        Some(number) if number > 0 => Ok(Source::Result(number)),
        _ => Err(format!(
            "there is no {word:?} to refer to; there are last_tool_result and tool_result.1, tool_result.2, …"
        )),
    }
}

fn filter(tokens: &[Token]) -> Result<Filter, String> {
    let unknown =
        || "a filter is one of: after \"TEXT\", before \"TEXT\", line N, trim, or \"TEXT\"".to_owned();
    let [Token::Word(name), rest @ ..] = tokens else {
        return Err(unknown());
    };
    match (name.as_str(), rest) {
        ("after", [Token::Text(mark)]) => Ok(Filter::After(mark.clone())),
        ("before", [Token::Text(mark)]) => Ok(Filter::Before(mark.clone())),
        ("or", [Token::Text(text)]) => Ok(Filter::Or(text.clone())),
        ("trim", []) => Ok(Filter::Trim),
        ("line", [Token::Word(number)]) => match number.parse() {
            Ok(0) | Err(_) => Err(unknown()),
            Ok(number) => Ok(Filter::Line(number)),
        },
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: Result<&str, &str>) {
        let results = ["first", "Top: Ada, 30\nNext: Bob, 20\n"];
        let rendered = Template::try_from(template.to_owned()).and_then(|template| template.render(&results));
        match expected {
            Ok(expected) => assert_eq!(rendered.as_deref(), Ok(expected), "{template}"),
            Err(words) => {
                let error = rendered.unwrap_err();
                assert!(error.contains(words), "{template}: {error}");
            }
        }
    }

    #[test]
    fn references_take_up_results() {
        check("plain { } text", Ok("plain { } text"));
        check("a {{tool_result.1}} b {{ tool_result.1 }}", Ok("a first b first"));
        check("{{last_tool_result}}", Ok("Top: Ada, 30\nNext: Bob, 20\n"));
        check(
            r#"{{last_tool_result | after "Top: " | before ","}}!"#,
            Ok("Ada!"),
        );
        check("{{last_tool_result|line 2}}", Ok("Next: Bob, 20"));
        check(r#"{{last_tool_result|line -1|after ","|trim}}"#, Ok("20"));
        check(r#"{{last_tool_result | after "\nNext: "}}"#, Ok("Bob, 20\n"));
        check(r#"{{ "{{" }}.Name{{"}}"}}"#, Ok("{{.Name}}"));
        check("", Ok(""));
    }

    #[test]
    fn what_cannot_be_found_is_an_error_unless_something_stands_in() {
        check("{{tool_result.3}}", Err("tool result 3, but there are 2"));
        check(r#"{{tool_result.1 | after "x"}}"#, Err("looks for \"x\""));
        check("{{tool_result.1 | line 2}}", Err("line 2"));
        check(r#"{{tool_result.3 | trim | or "none"}}"#, Ok("none"));
        check(r#"{{tool_result.1 | or "none"}}"#, Ok("first"));
    }

    #[test]
    fn mistakes_are_told() {
        for (template, words) in [
            ("{{", "not closed"),
            ("{{ last_tool_result", "not closed"),
            ("{{ last_tool_result }", "not closed"),
            ("{{ }}", "begins with"),
            ("{{ last }}", "there is no \"last\""),
            ("{{ tool_result.0 }}", "there is no"),
            ("{{ last_tool_result | upper }}", "a filter is one of"),
            ("{{ last_tool_result | line 0 }}", "a filter is one of"),
            ("{{ last_tool_result | }}", "a filter is one of"),
            ("{{ \"open }}", "quoted text"),
        ] {
            check(template, Err(words));
        }
    }
}
