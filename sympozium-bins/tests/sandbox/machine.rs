//! What there is to reach on a machine: listeners, secrets, processes of the same user.

use crate::who::{Programs, Who, open_to_all};
use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// A user's machine for one attempt. Everything in it ends with it.
pub(crate) struct Machine {
    pub(crate) who: Who,
    /// What nothing inside a sandbox may ever get to see.
    pub(crate) canary: String,
    pub(crate) programs: Arc<Programs>,
    folder: TempDir,
    listeners: Listeners,
    victim: Child,
}

impl Machine {
    pub(crate) fn new(who: Who) -> Self {
        let programs = Programs::get();
        // Short, since the sockets of runs lie below.
        let folder = tempfile::Builder::new().prefix("sa-").tempdir().unwrap();
        open_to_all(folder.path());
        let canary = format!("canary-{}", uuid::Uuid::new_v4().simple());
        for name in ["home", "data", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("secret.txt"), format!("{canary}\n")).unwrap();
        fs::write(folder.path().join("home/id_ed25519"), format!("{canary}\n")).unwrap();
        let listeners = Listeners::start(folder.path(), &canary);
        let victim = who
            .command(Path::new("/bin/sleep"))
            .arg("1000")
            .env("VICTIM_SECRET", &canary)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let machine = Self {
            who,
            canary,
            programs,
            folder,
            listeners,
            victim,
        };
        machine.give_away();
        machine
    }

    /// Makes the user the owner of what is a user's own.
    fn give_away(&self) {
        if self.who != Who::User {
            return;
        }
        let id = Some(self.who.id());
        for name in ["home", "data", "work", "secret.txt", "home/id_ed25519"] {
            chown(self.path(name), id, id).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything of this machine is below it, so it tells its processes from those of other tests.
    pub(crate) fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Writes a file that everybody can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// The `sympozium` command, with secrets in its environment.
    pub(crate) fn sympozium(&self) -> Command {
        let mut command = self.who.command(&self.programs.sympozium());
        command
            .env("HOME", self.path("home"))
            .env("SYMPOZIUM_DATA_DIR", self.path("data"))
            .env("OPENAI_API_KEY", &self.canary)
            .env("SSH_AUTH_SOCK", self.path("host.sock"))
            .env(
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}", self.path("host.sock").display()),
            )
            .current_dir(self.folder.path());
        command
    }

    pub(crate) fn victim(&self) -> u32 {
        self.victim.id()
    }

    pub(crate) fn victim_lives(&mut self) -> bool {
        self.victim.try_wait().unwrap().is_none()
    }

    /// Puts this machine's ports, paths and processes into a script.
    pub(crate) fn fill(&self, script: &str) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        [
            ("@PORT4@", self.listeners.port4.to_string()),
            ("@PORT6@", self.listeners.port6.to_string()),
            ("@UDP@", self.listeners.udp.to_string()),
            ("@ABSTRACT@", self.listeners.name.clone()),
            ("@SOCKET@", path("host.sock")),
            ("@SECRET@", path("secret.txt")),
            ("@FOLDER@", self.folder.path().display().to_string()),
            ("@HOME@", path("home")),
            ("@DATA@", path("data")),
            ("@VICTIM@", self.victim().to_string()),
        ]
        .into_iter()
        .fold(script.to_owned(), |script, (name, value)| {
            script.replace(name, &value)
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have been killed by an attempt, which the test has noticed.
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        self.listeners.stop();
    }
}

/// Sockets of the host that answer with the canary.
struct Listeners {
    port4: u16,
    port6: u16,
    udp: u16,
    /// The abstract one's name.
    name: String,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How often a listener looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

impl Listeners {
    fn start(folder: &Path, canary: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let name = format!("sympozium-{canary}-x").replace("canary-", "");
        let tcp4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let abstract_ = SocketAddr::from_abstract_name(&name).unwrap();
        let abstract_ = UnixListener::bind_addr(&abstract_).unwrap();
        let named = UnixListener::bind(folder.join("host.sock")).unwrap();
        fs::set_permissions(folder.join("host.sock"), fs::Permissions::from_mode(0o777)).unwrap();
        let (port4, port6) = (
            tcp4.local_addr().unwrap().port(),
            tcp6.local_addr().unwrap().port(),
        );
        let udp_port = udp.local_addr().unwrap().port();
        for tcp in [&tcp4, &tcp6] {
            tcp.set_nonblocking(true).unwrap();
        }
        for unix in [&abstract_, &named] {
            unix.set_nonblocking(true).unwrap();
        }
        udp.set_read_timeout(Some(LOOK)).unwrap();
        let say = canary.to_owned();
        let stopped = Arc::clone(&stop);
        let streams = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for tcp in [&tcp4, &tcp6] {
                    if let Ok((mut stream, _)) = tcp.accept() {
                        let _ = stream.write_all(say.as_bytes());
                    }
                }
                for unix in [&abstract_, &named] {
                    if let Ok((mut stream, _)) = unix.accept() {
                        let _ = stream.write_all(say.as_bytes());
                    }
                }
                std::thread::sleep(LOOK);
            }
        });
        let say = canary.to_owned();
        let stopped = Arc::clone(&stop);
        let datagrams = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((_, from)) = udp.recv_from(&mut buffer) {
                    let _ = udp.send_to(say.as_bytes(), from);
                }
            }
        });
        Self {
            port4,
            port6,
            udp: udp_port,
            name,
            stop,
            threads: vec![streams, datagrams],
        }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}
