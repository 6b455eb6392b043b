//! A process that starts nothing any more.

use crate::child::{again, task};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::channel;
use sympozium_core::confine::give_up_programs;

#[test]
fn a_process_without_programs_starts_none_from_any_thread_and_goes_on() {
    let outcome = again("programs::gives_up", "programs");
    assert_eq!(
        (outcome.code, outcome.said.as_str()),
        (
            Some(0),
            "before: fine\nmain: refused\nexec: refused\nolder thread: refused\nnewer thread: refused"
        )
    );
}

#[test]
fn gives_up() {
    if task().is_none() {
        return;
    }
    let (go, went) = channel::<()>();
    let older = std::thread::spawn(move || {
        went.recv().unwrap();
        start()
    });
    eprintln!("before: {}", start());
    give_up_programs().unwrap();
    eprintln!("main: {}", start());
    let error = Command::new("true").exec();
    eprintln!("exec: {}", answer(error.kind()));
    go.send(()).unwrap();
    eprintln!("older thread: {}", older.join().unwrap());
    eprintln!("newer thread: {}", std::thread::spawn(start).join().unwrap());
}

fn start() -> &'static str {
    match Command::new("true").status() {
        Ok(status) if status.success() => "fine",
        Ok(_) => "failed",
        Err(error) => answer(error.kind()),
    }
}

fn answer(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => "refused",
        _ => "another error",
    }
}
