//! Processes and abstract sockets outside.

use crate::child::{Task, has};
use crate::files::has_landlock;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, Command};
use sympozium_core::confine::FileRules;

fn everything() -> Task {
    Task::within(FileRules {
        read: vec![],
        write: vec!["/".into()],
    })
}

/// A process that ends with its test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn signals_do_not_leave_the_domain() {
    if has_landlock(6) {
        let outside = Sleeper::new();
        let script = format!("kill -9 {}", outside.0.id());
        assert!(!everything().shell(&script).fine());
        assert!(!everything().shell(&format!("kill -0 {}", outside.0.id())).fine());
        assert!(Task::default().shell(&script).fine());
    }
}

#[test]
fn signals_reach_what_the_domain_has_started() {
    let outcome = everything().shell("sleep 1000 & kill -9 $!; wait $!; echo $?");
    assert_eq!(outcome.said.lines().last(), Some("137"), "{outcome:?}");
}

#[test]
fn abstract_sockets_outside_can_not_be_reached() {
    const CONNECT: &str = "use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; \
                           connect($s, pack_sockaddr_un(\"\\0$ARGV[0]\")) or die \"refused: $!\"";
    if !has("perl") || !has_landlock(6) {
        return;
    }
    let name = format!("sympozium-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listening = UnixListener::bind_addr(&address).unwrap();
    let command = ["perl", "-e", CONNECT, &name];
    let outcome = everything().run(&command);
    assert!(outcome.said.contains("Operation not permitted"), "{outcome:?}");
    let control = Task::default().run(&command);
    assert!(control.fine(), "{control:?}");
}
