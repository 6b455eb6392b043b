//! A server of one thread that answers whoever is ready, and writes down when.

use super::{Stream, head_end, header};
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the rest of a request may take once it has begun.
const REST: Duration = Duration::from_secs(30);
/// The largest request that is read.
const MAX_REQUEST: usize = 16 << 20;

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// When all of it was there.
    pub(crate) at: Instant,
}

/// A server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Server {
    /// Listens on a Unix socket. What `answer` returns is sent as it is.
    pub(crate) fn unix(
        path: &Path,
        answer: impl FnMut(Request) -> Vec<u8> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let listener = UnixListener::bind(path).with_context(|| format!("listen on {}", path.display()))?;
        Self::start(Listener::Unix(listener), answer)
    }

    /// Listens on a free port of this machine alone.
    pub(crate) fn tcp(
        answer: impl FnMut(Request) -> Vec<u8> + Send + 'static,
    ) -> anyhow::Result<(Self, u16)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?;
        let port = listener.local_addr().context("find the port")?.port();
        Ok((Self::start(Listener::Tcp(listener), answer)?, port))
    }

    fn start(
        listener: Listener,
        answer: impl FnMut(Request) -> Vec<u8> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = UnixStream::pair().context("make a pair of sockets")?;
        // A server that can't go on closes its connections, which whoever asks it sees.
        let serve = move || drop(serve(&listener, &stopped, answer));
        Ok(Self {
            stop: Some(stop),
            thread: Some(std::thread::spawn(serve)),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    listener: &Listener,
    stopped: &UnixStream,
    mut answer: impl FnMut(Request) -> Vec<u8>,
) -> io::Result<()> {
    let mut open: Vec<Box<dyn Stream>> = Vec::new();
    loop {
        let ready = wait(listener, stopped, &open)?;
        let mut ready = ready.into_iter();
        if ready.next() == Some(true) {
            return Ok(());
        }
        let somebody_new = ready.next() == Some(true);
        let mut kept = Vec::with_capacity(open.len() + 1);
        for (mut connection, ready) in open.into_iter().zip(ready) {
            // A connection that breaks is closed: its other end knows why.
            if !ready || serve_one(&mut *connection, &mut answer).unwrap_or(false) {
                kept.push(connection);
            }
        }
        if somebody_new {
            kept.push(listener.accept()?);
        }
        open = kept;
    }
}

/// Waits until something is ready: whether to stop, whether somebody is new, then the connections.
fn wait(listener: &Listener, stopped: &UnixStream, open: &[Box<dyn Stream>]) -> io::Result<Vec<bool>> {
    let listening = match listener {
        Listener::Unix(listener) => listener.as_fd(),
        Listener::Tcp(listener) => listener.as_fd(),
    };
    let all = [stopped.as_fd(), listening];
    let all = all.into_iter().chain(open.iter().map(|stream| stream.as_fd()));
    let mut all: Vec<_> = all
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    while let Err(error) = poll(&mut all, None) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    Ok(all.iter().map(|fd| !fd.revents().is_empty()).collect())
}

impl Listener {
    fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(REST))?;
                Box::new(stream)
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(REST))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

/// Reads a request and answers it. False when the other end has closed the connection.
fn serve_one(stream: &mut dyn Stream, answer: &mut impl FnMut(Request) -> Vec<u8>) -> io::Result<bool> {
    let Some(request) = read(stream)? else {
        return Ok(false);
    };
    let bytes = answer(request);
    stream.write_all(&bytes)?;
    Ok(true)
}

fn read(stream: &mut dyn Stream) -> io::Result<Option<Request>> {
    let bad = |what: &'static str| io::Error::new(ErrorKind::InvalidData, what);
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    // The length of the head, and of the whole.
    let mut lengths = None;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            n => bytes.extend_from_slice(buffer.get(..n).unwrap_or_default()),
        }
        if lengths.is_none()
            && let Some(end) = head_end(&bytes)
        {
            let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default());
            let head = head.map_err(|_| bad("a head that is no text"))?;
            let body = header(head, "content-length").unwrap_or("0").parse::<usize>();
            lengths = Some((end, end + body.map_err(|_| bad("a length that is no number"))?));
        }
        match lengths {
            Some((end, whole)) if bytes.len() >= whole => {
                let at = Instant::now();
                let body = bytes.split_off(end);
                let head = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some(Request { head, body, at }));
            }
            _ if bytes.len() > MAX_REQUEST => return Err(bad("a request that is too large")),
            Some(_) | None => {}
        }
    }
}
