//! The one way into the cluster's network: a port of the machine's loopback address leads to the API server.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;

use super::super::layout::{API_PORT, NODE_ADDRESS};

/// More connections at once are closed as they come. Every one costs two threads.
const MOST: usize = 1000;

/// Serves in the background until the process ends.
pub(super) fn start(listener: TcpListener) -> anyhow::Result<()> {
    // Whoever opened it may have used it without blocking.
    listener.set_nonblocking(false).context("prepare the listener")?;
    std::thread::spawn(move || {
        let open = Arc::new(AtomicUsize::new(0));
        for client in listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::Relaxed) >= MOST {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let open = Arc::clone(&open);
            std::thread::spawn(move || {
                // A broken connection concerns its client, who sees it.
                let _ = carry(&client);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    Ok(())
}

fn carry(client: &TcpStream) -> std::io::Result<()> {
    let server = TcpStream::connect((NODE_ADDRESS, API_PORT))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    std::thread::scope(|scope| {
        scope.spawn(|| one_way(client, &server));
        one_way(&server, client);
    });
    Ok(())
}

/// An end on one side is passed on; a broken side breaks the other, which ends the other direction too.
fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    let how = if copy(&mut from, &mut to).is_ok() {
        Shutdown::Write
    } else {
        Shutdown::Both
    };
    let _ = to.shutdown(how);
    if how == Shutdown::Both {
        let _ = from.shutdown(how);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn both_directions_are_carried_and_each_end_is_passed_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let carrier = std::thread::spawn(move || {
            one_way(&near, &far);
            one_way(&far, &near);
        });
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).unwrap();
        server.write_all(b"answer").unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        carrier.join().unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    }
}
