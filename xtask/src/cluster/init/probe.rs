//! Whether a condition holds now. It never waits longer than a few seconds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::super::plan::Probe;
use super::supervisor::Supervisor;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The error says what was seen instead.
pub(super) fn holds(supervisor: &Arc<Supervisor>, probe: &Probe) -> anyhow::Result<()> {
    match probe {
        Probe::Succeeds(words) => supervisor.finish(words),
        Probe::Answers { address, path } => get(address, path),
    }
}

fn get(address: &str, path: &str) -> anyhow::Result<()> {
    let address: SocketAddr = address.parse().with_context(|| format!("understand {address}"))?;
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT)).context("limit the wait")?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").context("send the request")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).context("read the answer")?;
    if !start.starts_with(b"HTTP/1.") || !start.ends_with(b" 200") {
        bail!("{address}{path} answered {:?}", String::from_utf8_lossy(&start));
    }
    Ok(())
}
