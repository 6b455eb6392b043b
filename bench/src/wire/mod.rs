//! HTTP/1.1, as bare as it can be: blocking, without a runtime, so that what is measured is the other side.
//!
//! Only for talking to programs of our own; it understands what they say and nothing more.

mod client;
mod server;

pub(crate) use client::{ask, first_byte};
pub(crate) use server::{Request, Server};

use std::io::{Read, Write};
use std::os::fd::AsFd;

/// Bytes in both directions.
pub(crate) trait Stream: Read + Write + AsFd + Send {}
impl<T: Read + Write + AsFd + Send> Stream for T {}

/// What ends a head.
const BLANK: &[u8] = b"\r\n\r\n";

/// The length of a head with its blank line, once all of it is there.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(BLANK.len()).position(|window| window == BLANK)?;
    Some(at + BLANK.len())
}

/// A header's value; heads are small, so they are searched as text.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim()).next()
}

/// A request with a body.
pub(crate) fn request(start: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "{start} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer that comes in pieces.
pub(crate) const STREAMING: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// The end of such an answer.
pub(crate) const LAST_CHUNK: &str = "0\r\n\r\n";

/// A piece of an answer that comes in pieces.
pub(crate) fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A whole JSON document as an answer.
pub(crate) fn document(json: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        json.len()
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(json);
    bytes
}
