//! A PostgreSQL server that lives exactly as long as a test run.
//!
//! It has its own empty data folder, its own port of 127.0.0.1, a random password, and durability as in production
//! (`fsync` stays on). It must not outlive this program, however that ends: a small shell watches a pipe that only this
//! process holds, and stops the server when the pipe closes. Entry: [`Server::start`].

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::{install, repo};

/// A start recovers nothing and takes about a second; a loaded machine gets this much.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Another program may take the free port between our look and the server's start.
const START_ATTEMPTS: u32 = 3;

/// Arguments: the folder of the programs, the data folder's parent, the port. Ends when its standard input does.
const WATCHER: &str = r#"
"$1/postgres" -D "$2/data" -h 127.0.0.1 -p "$3" -k "$2" -c max_connections=200 >"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// A running server. Dropping it stops the server and removes its data.
#[derive(Debug)]
pub(super) struct Server {
    watcher: Child,
    dir: PathBuf,
    url: String,
}

impl Server {
    /// Finds or installs PostgreSQL, and starts a private server.
    pub(super) fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let mut last = None;
        for attempt in 0..START_ATTEMPTS {
            match start_once(&programs, attempt) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("PostgreSQL was not started")))
    }

    /// A connection URL with user, password, address and database.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing the pipe is the order to stop; the watcher then waits for the server's own shutdown.
        drop(self.watcher.stdin.take());
        if let Err(error) = self.watcher.wait() {
            eprintln!("could not wait for PostgreSQL to stop: {error}");
        }
        // The watcher may lack the right to remove the folder itself from a sticky parent.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The folder with `initdb` and `postgres`; installs them when they are missing and that is possible.
fn programs() -> anyhow::Result<PathBuf> {
    if let Some(found) = find_programs() {
        return Ok(found);
    }
    install::apt(&["postgresql"])?;
    find_programs().context("PostgreSQL was installed, but its programs were not found")
}

fn find_programs() -> Option<PathBuf> {
    let in_path = install::find("initdb")
        .and_then(|file| file.canonicalize().ok())
        .and_then(|file| file.parent().map(Path::to_path_buf));
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let installed = versions.map(|entry| entry.path().join("bin"));
    in_path
        .into_iter()
        .chain(installed)
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

fn start_once(programs: &Path, attempt: u32) -> anyhow::Result<Server> {
    let account = Account::choose()?;
    let dir = std::env::temp_dir().join(format!("sympozium-postgres-{}-{attempt}", std::process::id()));
    let password = random_password()?;
    prepare_dir(&dir, &account, &password)?;
    let started =
        initialise(programs, &dir, &account).and_then(|()| launch(programs, &dir, &account, &password));
    if started.is_err() {
        let _ = std::fs::remove_dir_all(&dir);
    }
    started
}

fn prepare_dir(dir: &Path, account: &Account, password: &str) -> anyhow::Result<()> {
    std::fs::create_dir(dir).with_context(|| format!("create {}", dir.display()))?;
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700))
        .context("close the folder of PostgreSQL to others")?;
    let file = dir.join("password");
    std::fs::write(&file, password).context("write the password for initdb")?;
    if let Account::Other { uid, gid } = account {
        for path in [dir, &file] {
            chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("give {} to user {uid}", path.display()))?;
        }
    }
    Ok(())
}

fn initialise(programs: &Path, dir: &Path, account: &Account) -> anyhow::Result<()> {
    let mut initdb = account.command(&programs.join("initdb"));
    initdb.args([
        "--username=sympozium",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
    ]);
    initdb
        .arg(format!("--pwfile={}", dir.join("password").display()))
        .arg("-D")
        .arg(dir.join("data"));
    repo::stdout_of(initdb.current_dir(dir)).map(drop)
}

fn launch(programs: &Path, dir: &Path, account: &Account, password: &str) -> anyhow::Result<Server> {
    let port = free_port()?.to_string();
    let mut watcher = account.command(Path::new("sh"));
    watcher
        .args(["-c", WATCHER, "sh"])
        .arg(programs)
        .arg(dir)
        .arg(&port)
        .current_dir(dir);
    // Its own process group: Ctrl-C on the terminal reaches this program alone, and the watcher cleans up after it.
    watcher
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let watcher = watcher.spawn().context("start PostgreSQL")?;
    let url = format!("postgres://sympozium:{password}@127.0.0.1:{port}/postgres");
    let server = Server {
        watcher,
        dir: dir.to_path_buf(),
        url,
    };
    wait_until_ready(programs, dir, &port)?;
    Ok(server)
}

fn wait_until_ready(programs: &Path, dir: &Path, port: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let mut ask = Command::new(programs.join("pg_isready"));
        if repo::stdout_of(ask.args(["-q", "-h", "127.0.0.1", "-p", port])).is_ok() {
            return Ok(());
        }
        let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        if log.contains("FATAL:") && !log.contains("starting up") {
            bail!("PostgreSQL did not start: {}", log.trim());
        }
        if start.elapsed() > START_DEADLINE {
            bail!(
                "PostgreSQL was not ready after {} s: {}",
                START_DEADLINE.as_secs(),
                log.trim()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("read the free port")?.port())
}

/// 128 random bits in hexadecimal, so that it needs no escape in a URL.
fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Who runs the server. PostgreSQL refuses root.
enum Account {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Ourselves, unless we are root: then the system's `postgres`, else `nobody`.
    fn choose() -> anyhow::Result<Self> {
        if !install::is_root() {
            return Ok(Self::Ourselves);
        }
        if install::find("setpriv").is_none() {
            bail!("PostgreSQL refuses to run as root, and `setpriv` (package util-linux) is missing");
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                Some(Self::Other {
                    uid: id_of("-u", name)?,
                    gid: id_of("-g", name)?,
                })
            })
            .context("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`")
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Ourselves => Command::new(program),
            Self::Other { uid, gid } => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .arg("--clear-groups")
                    .arg(program);
                command
            }
        }
    }
}

fn id_of(flag: &str, user: &str) -> Option<u32> {
    repo::stdout_of(Command::new("id").args([flag, user]))
        .ok()?
        .trim()
        .parse()
        .ok()
}
