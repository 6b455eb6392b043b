//! A private NATS server: [`NatsServer`].
#![expect(
    clippy::panic,
    reason = "a panic is how a test says that its server can't be had"
)]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The variable that holds the path of a `nats-server` of 2.10 or later; `cargo xtask test` builds one and sets it.
const PROGRAM: &str = "SYMPOZIUM_TEST_NATS";
/// How long a start may take on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Arguments: the program, its configuration. Prints the server's process id. Kills the server when its standard input ends,
/// which it does when the test does, however that ends.
const WATCHER: &str = r#"
"$1" -c "$2" </dev/null >>"$2.log" 2>&1 &
server=$!
echo "$server"
exec >&-
cat >/dev/null
kill -9 "$server"
wait "$server"
"#;

/// A NATS server with JetStream on a port of its own of 127.0.0.1, and a store that survives [`kill`](Self::kill).
///
/// Tests that use it are ignored unless there is a server to be had, and have `on_nats` in their names.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    watcher: Option<Child>,
}

impl NatsServer {
    /// Starts the server that `SYMPOZIUM_TEST_NATS` names. `configuration` is added to address, port and store.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub fn start(configuration: &str) -> Self {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| panic!("{PROGRAM} has to be set"));
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("make a folder for NATS: {error}"));
        let mut server = Self {
            program: program.into(),
            dir,
            port: 0,
            watcher: None,
        };
        // Somebody else may take the port between our look and the server's start.
        for _ in 0..5 {
            server.port = free_port();
            server.configure(configuration);
            if server.try_start() {
                return server;
            }
        }
        panic!("nats-server does not start:\n{}", server.log());
    }

    /// Replaces the configuration; it holds from the next start on.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn configure(&self, configuration: &str) {
        let text = format!(
            "listen: \"127.0.0.1:{}\"\njetstream {{ store_dir: {:?} }}\n{configuration}\n",
            self.port,
            self.dir.path().join("store"),
        );
        if let Err(error) = std::fs::write(self.file(), text) {
            panic!("write the configuration of NATS: {error}");
        }
    }

    /// Kills the server, as by a power button for its process.
    ///
    /// # Panics
    /// When its watcher can't be waited for.
    pub fn kill(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            if let Err(error) = watcher.wait() {
                panic!("wait for NATS to end: {error}");
            }
        }
    }

    /// Starts it again with the same port and store.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        assert!(
            self.try_start(),
            "nats-server does not start again:\n{}",
            self.log()
        );
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A folder that goes with the server.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has said since it was first started.
    pub fn log(&self) -> String {
        let mut path = self.file().into_os_string();
        path.push(".log");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("nats.conf")
    }

    /// Whether it runs and listens.
    fn try_start(&mut self) -> bool {
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHER, "nats"])
            .arg(&self.program)
            .arg(self.file());
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut watcher = spawned.unwrap_or_else(|error| panic!("start a shell for NATS: {error}"));
        let mut id = String::new();
        if let Some(stdout) = watcher.stdout.take() {
            // Without an id the loop below sees that nothing runs.
            let _ = BufReader::new(stdout).read_line(&mut id);
        }
        self.watcher = Some(watcher);
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end && runs(id.trim()) {
            if self.greets() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        false
    }

    /// A server says `INFO` to whoever connects.
    fn greets(&self) -> bool {
        let mut greeting = [0; 4];
        TcpStream::connect_timeout(&self.address(), Duration::from_secs(1))
            .and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                stream.read_exact(&mut greeting)
            })
            .is_ok_and(|()| &greeting == b"INFO")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            // A test that fails may be unwinding; the watcher ends by itself in any case.
            let _ = watcher.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("find a free port: {error}"))
        .port()
}

/// Whether a process is there and has not ended.
fn runs(id: &str) -> bool {
    let mut signal = Command::new("kill");
    let signal = signal
        .args(["-0", id])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    !id.is_empty() && signal.status().is_ok_and(|status| status.success())
}
