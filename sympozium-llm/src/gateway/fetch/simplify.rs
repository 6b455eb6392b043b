//! Reduces a page's HTML to what matters for its text: few elements, well nested, not deep. Pure, in linear time.
//!
//! Browsers' rules for repairing HTML cost time and memory that grow with the square of a page's size when the page is
//! made for it: thousands of elements that nobody closes, and each new paragraph opens all of them again. A page must
//! not be able to do that to a gateway, so what is given to the real parser leaves nothing to repair.

/// How deep elements may lie in each other; deeper ones lose their tags and keep their text.
const DEEPEST: usize = 32;

/// What an element becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It and what is in it are left out.
    Gone,
    /// It stays.
    Stays,
    /// It becomes a `div`: a block of its own.
    Block,
    /// A cell of a table: its text, and a bar.
    Cell,
    /// A link.
    Link,
    /// It has no content.
    Empty,
    /// An image: its description.
    Image,
    /// Its tags are left out, its text stays.
    Open,
}

fn kind(name: &str) -> Kind {
    match name {
        "script" | "style" | "noscript" | "template" | "iframe" | "svg" | "math" | "object" | "select"
        | "noframes" | "noembed" | "xmp" | "textarea" => Kind::Gone,
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "li" | "blockquote" | "pre" => {
            Kind::Stays
        }
        "div" | "section" | "article" | "main" | "header" | "footer" | "nav" | "aside" | "table" | "tr"
        | "caption" | "dl" | "dt" | "dd" | "figure" | "figcaption" | "form" | "fieldset" | "address"
        | "details" | "summary" | "title" => Kind::Block,
        "td" | "th" => Kind::Cell,
        "a" => Kind::Link,
        "br" | "hr" => Kind::Empty,
        "img" => Kind::Image,
        _ => Kind::Open,
    }
}

/// The simplified page.
pub(super) fn simplify(html: &str) -> String {
    let mut page = Page {
        out: String::with_capacity(html.len() / 2),
        open: Vec::new(),
    };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, markup) = rest.split_at(at);
        page.out.push_str(text);
        rest = page.markup(markup);
    }
    page.out.push_str(rest);
    page.close_to(0);
    page.out
}

struct Page {
    out: String,
    /// The names of the open elements, as they are written out.
    open: Vec<&'static str>,
}

impl Page {
    /// Takes what stands at a `<`, and gives back what follows it.
    fn markup<'a>(&mut self, markup: &'a str) -> &'a str {
        if let Some(comment) = markup.strip_prefix("<!--") {
            return after(comment, "-->");
        }
        if markup.starts_with("<!") || markup.starts_with("<?") {
            return after(markup, ">");
        }
        let closes = markup.starts_with("</");
        let begin = if closes { 2 } else { 1 };
        let tag = markup.get(begin..).unwrap_or_default();
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.out.push_str("&lt;");
            return markup.get(1..).unwrap_or_default();
        }
        let end = tag
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .unwrap_or(tag.len());
        let (name, attributes) = tag.split_at(end);
        let name = name.to_ascii_lowercase();
        let (attributes, rest) = split_tag(attributes);
        if closes {
            self.close(&name);
            return rest;
        }
        match kind(&name) {
            Kind::Gone => return after_element(rest, &name),
            kind => self.start(kind, &name, attributes),
        }
        rest
    }

    fn start(&mut self, kind: Kind, name: &str, attributes: &str) {
        match kind {
            Kind::Stays => self.enter(stays(name), ""),
            Kind::Block => self.enter("div", ""),
            Kind::Link => {
                self.close("a");
                if let Some(href) = attribute(attributes, "href").filter(|href| !href.starts_with('#')) {
                    self.enter("a", &format!(" href=\"{}\"", quoted(href)));
                }
            }
            Kind::Empty => self.out.push_str(if name == "hr" { "<hr>" } else { "<br>" }),
            Kind::Image => {
                let description = attribute(attributes, "alt").unwrap_or_default();
                self.out.push_str(&description.replace('<', "&lt;"));
            }
            // A cell's bar stands behind its text; whatever has no tags here has nothing to begin.
            Kind::Cell | Kind::Open | Kind::Gone => {}
        }
    }

    fn enter(&mut self, name: &'static str, attributes: &str) {
        // A paragraph ends where the next block begins, and an item where the next item begins.
        if name != "a"
            && let Some(at) = self.open.iter().rposition(|open| *open == "p")
        {
            self.close_to(at);
        }
        if name == "li" && self.open.last() == Some(&"li") {
            self.close("li");
        }
        if self.open.len() < DEEPEST {
            self.open.push(name);
            self.out.push('<');
            self.out.push_str(name);
            self.out.push_str(attributes);
            self.out.push('>');
        } else {
            // What separates blocks is kept of those that lie too deep.
            self.out.push(' ');
        }
    }

    fn close(&mut self, name: &str) {
        let written = match kind(name) {
            Kind::Stays | Kind::Link => name,
            Kind::Block => "div",
            Kind::Cell => {
                self.out.push_str(" | ");
                return;
            }
            Kind::Gone | Kind::Empty | Kind::Image | Kind::Open => return,
        };
        if let Some(at) = self.open.iter().rposition(|open| *open == written) {
            self.close_to(at);
        }
    }

    /// Closes the open elements from the innermost one to the one at `depth`.
    fn close_to(&mut self, depth: usize) {
        for name in self.open.drain(depth.min(self.open.len())..).rev() {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }
}

/// The name of an element that stays, as it is written out.
fn stays(name: &str) -> &'static str {
    const ALL: [&str; 12] = [
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "blockquote",
        "pre",
    ];
    ALL.into_iter().find(|known| *known == name).unwrap_or("div")
}

/// What follows the first `mark`; nothing when there is none.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

/// What follows the end tag of an element whose content is left out.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("</") {
        if tail
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name))
        {
            return after(tail, ">");
        }
        rest = tail;
    }
    ""
}

/// A tag's attributes, and what follows the tag. A `>` inside quotes does not end it.
fn split_tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => {
                return (
                    text.get(..at).unwrap_or_default(),
                    text.get(at + 1..).unwrap_or_default(),
                );
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(_), _) => {}
        }
    }
    (text, "")
}

/// The value of an attribute.
fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        let end = rest.find('=')?;
        let (name, value) = (rest.get(..end)?, rest.get(end + 1..)?.trim_start());
        let name = name
            .rsplit(|c: char| c.is_whitespace() || c == '/')
            .find(|word| !word.is_empty());
        let (value, tail) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split_once(quote).unwrap_or((value.get(1..)?, "")),
            Some(_) | None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        if name.is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
            return Some(value);
        }
        rest = tail;
    }
}

fn quoted(value: &str) -> String {
    value.replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_matters_stays_and_the_rest_leaves_its_text() {
        for (html, expected) in [
            ("<p class=x>a <b>b</b></P>", "<p>a b</p>"),
            ("<p>a<p>b<div>c</div>", "<p>a</p><p>b</p><div>c</div>"),
            ("<ul><li>a<li>b</ul>c", "<ul><li>a</li><li>b</li></ul>c"),
            (
                "<ul><li>a<ul><li>b</ul></ul>",
                "<ul><li>a<ul><li>b</li></ul></li></ul>",
            ),
            (
                "<table><tr><td>a</td><td>b</td></tr></table>",
                "<div><div>a | b | </div></div>",
            ),
            ("<a href='/x?a=\"1'>y</a>", "<a href=\"/x?a=&quot;1\">y</a>"),
            (
                "<a data-x=1 HREF=/x title='>'>y<a href=/z>z",
                "<a href=\"/x\">y</a><a href=\"/z\">z</a>",
            ),
            ("<a href=#top>up</a><a name=x>there</a>", "upthere"),
            ("x<script>if (a </b>) { '<p>' }</SCRIPT>y<style>p{}</style>", "xy"),
            ("<!doctype html><!-- <p> --><?php x ?>a<br/>b", "a<br>b"),
            (
                "1 < 2 <3 </ x> &amp; <img alt='a <b>'>",
                "1 &lt; 2 &lt;3 &lt;/ x> &amp; a &lt;b>",
            ),
            ("</p></div>a<p title=\"never closed", "a<p></p>"),
        ] {
            assert_eq!(simplify(html), expected, "{html}");
        }
    }

    #[test]
    fn nothing_lies_deeper_than_allowed() {
        let page = simplify(&"<div>".repeat(100_000));
        assert_eq!(page.matches("<div>").count(), DEEPEST);
        assert_eq!(page.matches("</div>").count(), DEEPEST);
    }

    proptest! {
        #[test]
        fn any_text_becomes_well_nested_markup(html in "(<|>|/|p|li|ul|a|b|div|td| |=|\"|'|href|!--|-->|script|ä){0,60}") {
            let page = simplify(&html);
            let mut open = Vec::new();
            for piece in page.split('<').skip(1) {
                let tag = piece.split('>').next().unwrap();
                let name = tag.split(' ').next().unwrap();
                if let Some(name) = name.strip_prefix('/') {
                    prop_assert_eq!(open.pop(), Some(name.to_owned()), "{}", &page);
                } else if !matches!(name, "br" | "hr") {
                    open.push(name.to_owned());
                }
            }
            prop_assert!(open.is_empty(), "{}", page);
        }
    }
}
