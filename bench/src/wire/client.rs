//! Asking, and looking at the clock when the first byte of the answer's body is there.

use super::{LAST_CHUNK, Stream, head_end, header};
use anyhow::{Context, bail};
use std::time::Instant;

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 << 20;

/// Sends a request, reads its whole answer, and returns when the first byte of the body came.
pub(crate) fn ask(stream: &mut (impl Stream + ?Sized), request: &[u8]) -> anyhow::Result<Instant> {
    stream.write_all(request).context("send a request")?;
    let mut answer = Vec::new();
    let first = read_until_body(stream, &mut answer)?;
    while !is_whole(&answer)? {
        read_more(stream, &mut answer)?;
    }
    Ok(first)
}

/// Sends a request and waits for the first byte of its answer's body.
pub(crate) fn first_byte(stream: &mut (impl Stream + ?Sized), request: &[u8]) -> anyhow::Result<()> {
    stream.write_all(request).context("send a request")?;
    read_until_body(stream, &mut Vec::new()).map(drop)
}

fn read_until_body(stream: &mut (impl Stream + ?Sized), answer: &mut Vec<u8>) -> anyhow::Result<Instant> {
    loop {
        read_more(stream, answer)?;
        if head_end(answer).is_some_and(|end| answer.len() > end) {
            let first = Instant::now();
            let (head, body) = split(answer)?;
            if !head.starts_with("HTTP/1.1 200 ") {
                bail!("the answer is {head}{}", String::from_utf8_lossy(body));
            }
            return Ok(first);
        }
    }
}

fn read_more(stream: &mut (impl Stream + ?Sized), answer: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut buffer = [0; 16 << 10];
    let n = stream.read(&mut buffer).context("read an answer")?;
    if n == 0 || answer.len() > MAX_ANSWER {
        bail!("the answer has no end: {}", String::from_utf8_lossy(answer));
    }
    answer.extend_from_slice(buffer.get(..n).unwrap_or_default());
    Ok(())
}

fn split(answer: &[u8]) -> anyhow::Result<(&str, &[u8])> {
    let end = head_end(answer).context("an answer without a head")?;
    let (head, body) = answer.split_at(end);
    Ok((
        std::str::from_utf8(head).context("read the head of an answer")?,
        body,
    ))
}

fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let (head, body) = split(answer)?;
    Ok(match header(head, "content-length") {
        Some(length) => body.len() >= length.parse().context("the length of an answer")?,
        // Events end with a line of their own, so no piece of theirs looks like this.
        None => body.ends_with(LAST_CHUNK.as_bytes()),
    })
}
