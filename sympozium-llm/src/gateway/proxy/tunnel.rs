//! Bytes from one side to the other, counted, until one of them or the time ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many times within its idle time a tunnel is looked at.
const LOOKS: u32 = 8;

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides had said all.
    Done,
    /// One side broke off.
    Broken,
    /// Nothing was said for too long.
    Idle,
    /// It was open for too long.
    TooLong,
    /// Its run ended.
    RunEnded,
    /// The gateway stops.
    Stopping,
}

impl End {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::TooLong => "too-long",
            Self::RunEnded => "run-ended",
            Self::Stopping => "stopping",
        }
    }
}

/// What passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Bytes from the skill.
    pub(super) up: u64,
    /// Bytes to the skill.
    pub(super) down: u64,
}

/// When a tunnel has to end.
pub(super) struct Bounds<'a> {
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
    pub(super) run: &'a CancellationToken,
    pub(super) gateway: &'a CancellationToken,
}

/// Moves bytes until the tunnel ends. Both sides are closed then, whatever they still wanted to say.
pub(super) async fn pass<A, B>(skill: A, target: B, bounds: Bounds<'_>) -> (End, Passed)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (up, down) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut skill = Counted {
        inner: skill,
        read: Arc::clone(&up),
    };
    let mut target = Counted {
        inner: target,
        read: Arc::clone(&down),
    };
    let passed = || Passed {
        up: up.load(Ordering::Relaxed),
        down: down.load(Ordering::Relaxed),
    };
    let end = tokio::select! {
        moved = tokio::io::copy_bidirectional(&mut skill, &mut target) => match moved {
            Ok(_) => End::Done,
            Err(_) => End::Broken,
        },
        () = silence(bounds.idle, passed) => End::Idle,
        () = tokio::time::sleep_until(bounds.deadline) => End::TooLong,
        () = bounds.run.cancelled() => End::RunEnded,
        () = bounds.gateway.cancelled() => End::Stopping,
    };
    (end, passed())
}

/// Ends once nothing has passed for that long.
async fn silence(idle: Duration, passed: impl Fn() -> Passed) {
    let mut before = passed();
    let mut silent = 0;
    while silent < LOOKS {
        tokio::time::sleep(idle / LOOKS).await;
        let now = passed();
        silent = if now == before { silent + 1 } else { 0 };
        before = now;
    }
}

/// Counts what is read.
struct Counted<S> {
    inner: S,
    read: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before) as u64;
        self.read.fetch_add(read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn bytes_are_counted_both_ways_until_both_sides_have_said_all() {
        let (mut client, skill) = duplex(64);
        let (target, mut server) = duplex(64);
        let (run, gateway) = (CancellationToken::new(), CancellationToken::new());
        let bounds = Bounds {
            idle: Duration::from_mins(1),
            deadline: Instant::now() + Duration::from_mins(1),
            run: &run,
            gateway: &gateway,
        };
        let talk = async {
            client.write_all(b"four").await.unwrap();
            client.shutdown().await.unwrap();
            let mut heard = String::new();
            server.read_to_string(&mut heard).await.unwrap();
            server.write_all(b"seven !").await.unwrap();
            server.shutdown().await.unwrap();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let (ended, heard) = tokio::join!(pass(skill, target, bounds), talk);
        assert_eq!(heard, "fourseven !");
        assert_eq!(ended, (End::Done, Passed { up: 4, down: 7 }));
    }

    /// Ends a tunnel on which something is said every `pause`.
    async fn end(
        idle: u64,
        deadline: u64,
        pause: u64,
        stop: impl FnOnce(&CancellationToken, &CancellationToken),
    ) -> End {
        let (mut client, skill) = duplex(1024);
        let (target, _server) = duplex(1024);
        let (run, gateway) = (CancellationToken::new(), CancellationToken::new());
        stop(&run, &gateway);
        let bounds = Bounds {
            idle: Duration::from_secs(idle),
            deadline: Instant::now() + Duration::from_secs(deadline),
            run: &run,
            gateway: &gateway,
        };
        let talk = async {
            loop {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                client.write_all(b"x").await.unwrap();
            }
        };
        tokio::select! {
            (end, _) = pass(skill, target, bounds) => end,
            () = talk => unreachable!("it talks for ever"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_ends_in_time_and_with_its_run() {
        assert_eq!(end(10, 100, 20, |_, _| ()).await, End::Idle);
        assert_eq!(end(10, 100, 5, |_, _| ()).await, End::TooLong);
        assert_eq!(end(10, 100, 5, |run, _| run.cancel()).await, End::RunEnded);
        assert_eq!(
            end(10, 100, 5, |_, gateway| gateway.cancel()).await,
            End::Stopping
        );
    }
}
