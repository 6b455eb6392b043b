//! Server-sent events, decoded piece by piece: those of providers, and those of our own gateway. Pure: no IO, chunk
//! boundaries may be anywhere.

use std::collections::VecDeque;

/// The largest event, in bytes of its lines. Whole tool calls come in pieces, so nothing legitimate comes near it.
pub(crate) const MAX_EVENT: usize = 4 << 20;

/// One event that had data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// Its name; empty when it had none.
    pub(crate) name: String,
    /// Its data, lines joined by line feeds. What is not UTF-8 is replaced.
    pub(crate) data: String,
}

/// An event or a line is larger than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {limit} bytes")]
pub(crate) struct TooLarge {
    /// How large an event may be.
    pub(crate) limit: usize,
}

/// Takes bytes, gives events. What stands at the end without an empty line after it is no event.
#[derive(Debug)]
pub(crate) struct SseDecoder {
    limit: usize,
    line: Vec<u8>,
    /// A carriage return ended the last line; a line feed right after it belongs to it.
    after_return: bool,
    /// The first line is still to come; a byte order mark may stand before it.
    first: bool,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl SseDecoder {
    /// A decoder for events of at most so many bytes.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_return: false,
            first: true,
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut VecDeque<SseEvent>) -> Result<(), TooLarge> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if self.after_return && *first == b'\n' {
                self.after_return = false;
                rest = after;
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (piece, end_and_more) = rest.split_at(end.unwrap_or(rest.len()));
            self.after_return = end_and_more.first() == Some(&b'\r');
            self.line.extend_from_slice(piece);
            self.bound()?;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, events);
            }
            rest = end_and_more.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    fn bound(&self) -> Result<(), TooLarge> {
        let size = self.line.len() + self.data.len() + self.name.len();
        if size > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], events: &mut VecDeque<SseEvent>) {
        let line = if std::mem::take(&mut self.first) {
            line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
        } else {
            line
        };
        if line.is_empty() {
            self.dispatch(events);
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.name = value.to_vec(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            // Comments (keep-alives) begin with a colon; `id` and `retry` are about reconnecting, which nobody does here.
            _ => {}
        }
    }

    fn dispatch(&mut self, events: &mut VecDeque<SseEvent>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            events.push_back(SseEvent {
                name: text(name),
                data: text(data),
            });
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let (mut decoder, mut events) = (SseDecoder::default(), VecDeque::new());
        for chunk in chunks {
            decoder.feed(chunk, &mut events).unwrap();
        }
        events.into_iter().map(|event| (event.name, event.data)).collect()
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, data)| ((*name).to_owned(), (*data).to_owned()))
            .collect();
        assert_eq!(decode(&[text.as_bytes()]), expected, "{text:?}");
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        check("data: a\n\n", &[("", "a")]);
        check(
            "data:a\r\n\r\ndata: b\r\rdata: c\n\n",
            &[("", "a"), ("", "b"), ("", "c")],
        );
        check(
            "event: delta\nid: 7\nretry: 100\ndata: a\ndata: b\n\n",
            &[("delta", "a\nb")],
        );
        check("data\n\ndata:  y\n\n", &[("", ""), ("", " y")]);
        check(": ping\n\n:\n\ndata: x\n\n", &[("", "x")]);
        check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")]);
        check("event: a\n\ndata: b\n\n", &[("", "b")]);
        check(
            "event: a\nevent: b\ndata: x\n\ndata: y\n\n",
            &[("b", "x"), ("", "y")],
        );
        check("data: unfinished\n", &[]);
        check("data: unfinished", &[]);
        check("", &[]);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(
            decode(&[b"data: \xff\xfe\n\n"]),
            [(String::new(), "\u{fffd}\u{fffd}".to_owned())]
        );
    }

    #[test]
    fn an_event_that_grows_without_end_is_an_error() {
        let feed = |pieces: &[&[u8]]| {
            let (mut decoder, mut events) = (SseDecoder::with_limit(20), VecDeque::new());
            pieces
                .iter()
                .try_for_each(|piece| decoder.feed(piece, &mut events))
        };
        assert_eq!(feed(&[b"data: 0123456789"]), Ok(()));
        assert_eq!(
            feed(&[b"data: 0123456789", b"0123456789"]),
            Err(TooLarge { limit: 20 })
        );
        assert_eq!(
            feed(&[b"data: 01234567\ndata: 01234567\ndata: 01\n"]),
            Err(TooLarge { limit: 20 })
        );
        assert_eq!(feed(&[b"data: 01234567\n\ndata: 01234567\n\n"]), Ok(()));
        assert_eq!(feed(&[b": 0123456789012345\n", b": 0123456789012345\n"]), Ok(()));
    }

    #[test]
    fn a_chunk_boundary_may_be_at_every_byte() {
        let text = "\u{feff}event: ä\r\ndata: ö€😀\r\ndata: 2\r\n\r\n: ping\r\rdata: b\n\n".as_bytes();
        let whole = decode(&[text]);
        assert_eq!(whole.len(), 2);
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(decode(&[one, two]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
    }

    proptest! {
        #[test]
        fn any_bytes_mean_the_same_in_any_pieces(
            bytes in prop::collection::vec(prop::sample::select(b"data:ev nt\r\n\n\xef\xbb\xbf\xff".to_vec()), 0..200),
            size in 1usize..7,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&bytes]));
        }
    }
}
