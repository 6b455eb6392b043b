//! A page's bytes as text for a model.

use super::simplify::simplify;
use http::{HeaderValue, header};

/// The width to which pages are wrapped.
const WIDTH: usize = 100;
/// How far into a page its own word on its charset is looked for, as browsers do.
const PRESCAN: usize = 1024;

/// A page as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Without parameters, in lower case.
    pub(super) media_type: String,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Text,
}

/// The page as text, or why it is none, as a sentence.
pub(super) async fn of_page(content_type: Option<&HeaderValue>, body: Vec<u8>) -> Result<Page, String> {
    let given = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = match given
        .split(';')
        .next()
        .map(str::trim)
        .filter(|bare| !bare.is_empty())
    {
        Some(bare) => bare.to_ascii_lowercase(),
        None => guess(&body)?.to_owned(),
    };
    let form = form(&media_type).ok_or_else(|| format!("The page is {media_type}, which is not text."))?;
    let text = decode(given, &media_type, form, body).await?;
    let text = match form {
        Form::Text => text,
        Form::Html => html(text).await?,
    };
    Ok(Page { media_type, text })
}

/// What a page without a type is, if it is text at all.
fn guess(body: &[u8]) -> Result<&'static str, String> {
    let readable = std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'));
    let text = readable.ok_or("The page has no type, and is not text.")?;
    let beginning: String = text
        .trim_start()
        .chars()
        .take(14)
        .flat_map(char::to_lowercase)
        .collect();
    let html = beginning.starts_with("<!doctype html") || beginning.starts_with("<html");
    Ok(if html { "text/html" } else { "text/plain" })
}

fn form(media_type: &str) -> Option<Form> {
    let (kind, sub) = media_type.split_once('/')?;
    match (kind, sub) {
        ("text", "html") | ("application", "xhtml+xml") => Some(Form::Html),
        ("text", _) => Some(Form::Text),
        ("application", sub) => {
            let known = [
                "json",
                "xml",
                "javascript",
                "ecmascript",
                "yaml",
                "x-yaml",
                "toml",
                "sql",
                "x-ndjson",
                "graphql",
                "x-sh",
            ];
            let suffixed = sub
                .rsplit_once('+')
                .is_some_and(|(_, suffix)| matches!(suffix, "json" | "xml" | "yaml"));
            (known.contains(&sub) || suffixed).then_some(Form::Text)
        }
        (_, sub) => sub.ends_with("+xml").then_some(Form::Text),
    }
}

/// Decodes by the charset of the header, else of the page itself, else as UTF-8.
async fn decode(given: &str, media_type: &str, form: Form, body: Vec<u8>) -> Result<String, String> {
    let own = if form == Form::Html {
        charset_in(&body)
    } else {
        None
    };
    let header = match own {
        Some(charset) if !given.to_ascii_lowercase().contains("charset=") => {
            format!("{media_type}; charset={charset}")
        }
        Some(_) | None => given.to_owned(),
    };
    // The client knows all charsets of the web; it decodes what it is given as if it had fetched it.
    let unreadable = |_| "The page's type is not readable.".to_owned();
    let mut response = http::Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_str(&header).map_err(unreadable)?,
    );
    reqwest::Response::from(response)
        .text()
        .await
        .map_err(|_| "The page is not readable as text.".to_owned())
}

/// The charset that a page names in a `meta` element near its beginning.
fn charset_in(body: &[u8]) -> Option<String> {
    let head = body.get(..PRESCAN.min(body.len()))?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let name: String = after
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
        .collect();
    (!name.is_empty()).then_some(name)
}

/// Its own thread: a large page takes a while, and a broken one may make the converter panic.
async fn html(text: String) -> Result<String, String> {
    let failed = || "The page's HTML could not be turned into text.".to_owned();
    let converted = tokio::task::spawn_blocking(move || {
        let plain = html2text::config::plain().allow_width_overflow();
        plain.string_from_read(simplify(&text).as_bytes(), WIDTH)
    });
    converted.await.map_err(|_| failed())?.map_err(|_| failed())
}

/// The first `max_chars` characters, and how many were left out.
pub(super) fn cut(mut text: String, max_chars: u32) -> (String, u64) {
    let Some((end, _)) = text.char_indices().nth(max_chars as usize) else {
        return (text, 0);
    };
    let left_out = text.get(end..).map_or(0, |rest| rest.chars().count() as u64);
    text.truncate(end);
    (text, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn page(content_type: &'static str, body: &[u8]) -> Result<Page, String> {
        let given = (!content_type.is_empty()).then(|| HeaderValue::from_static(content_type));
        of_page(given.as_ref(), body.to_vec()).await
    }

    #[tokio::test]
    async fn html_becomes_text_in_whatever_charset() {
        let latin =
            b"<html><meta charset=\"iso-8859-1\"><body><h1>Gr\xfc\xdfe</h1><script>no()</script></body>";
        for (content_type, body) in [
            ("text/html; charset=utf-8", "<h1>Grüße</h1>".as_bytes()),
            ("text/html; charset=ISO-8859-1", b"<h1>Gr\xfc\xdfe</h1>"),
            ("text/html", latin),
            ("application/xhtml+xml", "<h1>Grüße</h1>".as_bytes()),
            ("", "<!DOCTYPE html><h1>Grüße</h1>".as_bytes()),
        ] {
            let text = page(content_type, body).await.unwrap().text;
            assert_eq!(text.trim(), "# Grüße", "{content_type}");
        }
    }

    #[tokio::test]
    async fn other_text_stays_as_it_is() {
        for (content_type, media_type) in [
            ("text/plain", "text/plain"),
            ("Application/JSON; charset=utf-8", "application/json"),
            ("application/problem+json", "application/problem+json"),
            ("image/svg+xml", "image/svg+xml"),
            ("", "text/plain"),
        ] {
            let expected = Page {
                media_type: media_type.to_owned(),
                text: "{\"a\": 1}".to_owned(),
            };
            assert_eq!(page(content_type, b"{\"a\": 1}").await, Ok(expected));
        }
    }

    #[tokio::test]
    async fn what_is_not_text_is_refused_by_its_type() {
        for content_type in [
            "application/pdf",
            "image/png",
            "application/octet-stream",
            "video/mp4",
            "nonsense",
        ] {
            let refused = page(content_type, b"x").await.unwrap_err();
            assert!(refused.contains(content_type), "{refused}");
        }
        assert!(page("", b"\0\x01").await.is_err());
        assert!(page("", b"\xff\xfe").await.is_err());
    }

    /// Made for a parser that repairs: each of these takes minutes or gigabytes when it is given to one as it is.
    #[tokio::test]
    async fn a_page_made_to_exhaust_the_gateway_is_converted_at_once() {
        let many = |piece: &str| piece.repeat((1 << 20) / piece.len());
        let open = (0..20_000)
            .map(|i| format!("<b id={i}>"))
            .collect::<Vec<_>>()
            .concat();
        let pages = [
            many("<div>"),
            many("<p>") + &open + &many("<p>x"),
            many("<table><tr><td>"),
            many("<ul><li>x<br>"),
            many("<blockquote>x<br>"),
            many("<a href=x><div>"),
            many("<b"),
            many("</p>"),
            many("<td>x"),
        ];
        for page_text in pages {
            let converted = page("text/html", page_text.as_bytes());
            let converted = tokio::time::timeout(std::time::Duration::from_mins(1), converted).await;
            let beginning = page_text.chars().take(20).collect::<String>();
            assert!(converted.is_ok_and(|page| page.is_ok()), "{beginning}");
        }
    }

    #[test]
    fn text_is_cut_between_characters_and_the_rest_is_counted() {
        assert_eq!(cut("äöü".to_owned(), 2), ("äö".to_owned(), 1));
        assert_eq!(cut("äöü".to_owned(), 3), ("äöü".to_owned(), 0));
        assert_eq!(cut(String::new(), 1), (String::new(), 0));
    }
}
