//! What a program sees, and what it can do.

use crate::start::{Who, bind, command, everybody, launcher, open_folder, output, plan, run, said, text};
use sympozium_core::local::sandbox::{Access, Resource, ResourceLimit};

/// The value of a line of `/proc/self/status`.
fn status(all: &str, name: &str) -> String {
    let line = all
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {all}"))
        .trim()
        .to_owned()
}

#[test]
fn a_program_sees_what_its_plan_says_and_nothing_else() {
    for who in everybody() {
        let seen = said(
            who,
            &plan(
                who,
                "echo $(ls -A /); echo $(ls /dev); echo $(ls /etc /skills); pwd; hostname",
            ),
        );
        let expected = [
            "bin dev etc lib lib64 proc sbin skills tmp usr",
            "fd full null random shm stderr stdin stdout urandom zero",
            "/etc: passwd /skills:",
            "/tmp",
            "sandbox",
        ];
        assert_eq!(seen, expected.join("\n"), "{who:?}");
        let mounts = said(
            who,
            &plan(who, "cut -d' ' -f2 /proc/self/mounts | sort | tr '\\n' ' '"),
        );
        let expected =
            "/ /dev/full /dev/null /dev/random /dev/shm /dev/urandom /dev/zero /proc /skills /tmp /usr";
        assert_eq!(mounts, expected, "{who:?}");
    }
}

#[test]
fn a_program_sees_no_process_but_its_own_and_is_the_first_of_them() {
    for who in everybody() {
        let seen = said(who, &plan(who, "echo $$ /proc/[0-9]*; cat /proc/1/comm"));
        assert_eq!(seen, "1 /proc/1\nsh", "{who:?}");
    }
}

#[test]
fn a_program_is_an_ordinary_user_without_any_capability() {
    for who in everybody() {
        let seen = said(who, &plan(who, "id -u; id -g; id -G; cat /proc/self/status"));
        assert!(seen.starts_with("1000\n1000\n1000\n"), "{who:?}: {seen}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(&seen, set), "0".repeat(16), "{who:?}: {set}");
        }
        for (name, value) in [
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            ("SigBlk", "0000000000000000"),
        ] {
            assert_eq!(status(&seen, name), value, "{who:?}: {name}");
        }
        assert_eq!(status(&seen, "SigIgn"), "0000000000000000", "{who:?}");
    }
}

#[test]
fn only_its_own_folders_can_be_written() {
    for who in everybody() {
        let tries = "for f in /x /usr/x /etc/x /etc/passwd /dev/x /skills/x /proc/x; do \
                     (echo x >> $f) 2>/dev/null && echo wrote $f; done; \
                     mkdir /tmp/d && echo x > /tmp/d/x && echo x > /dev/shm/x && echo x > /dev/null && cat /tmp/d/x";
        assert_eq!(said(who, &plan(who, tries)), "x", "{who:?}");
        let large = "head -c 2000000 /dev/zero > /dev/shm/x 2>/dev/null || echo full; stat -c %s /dev/shm/x";
        assert_eq!(said(who, &plan(who, large)), "full\n1048576", "{who:?}");
        let program = "cp /bin/true /dev/shm/t; cp /bin/true /tmp/t; /tmp/t && ! /dev/shm/t 2>/dev/null";
        said(who, &plan(who, program));
    }
}

#[test]
fn a_program_can_make_no_namespace_mount_or_terminal_of_its_own() {
    for who in everybody() {
        for tries in [
            "unshare -Ur true",
            "unshare -m true",
            "mount -t tmpfs x /tmp",
            "umount /usr",
            "cat /dev/tty",
            "ls /dev/pts",
        ] {
            let output = run(who, &plan(who, tries));
            assert!(
                !output.status.success(),
                "{who:?}: {tries}: {}",
                text(&output.stdout)
            );
        }
    }
}

#[test]
fn there_is_no_network_but_a_loopback_of_ones_own() {
    for who in everybody() {
        let seen = said(
            who,
            &plan(
                who,
                "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; grep -o -m1 127.0.0.1 /proc/net/fib_trie",
            ),
        );
        assert_eq!(seen, "lo\n127.0.0.1", "{who:?}");
    }
}

#[test]
fn the_environment_and_the_open_files_of_the_starter_stay_outside() {
    for who in everybody() {
        let folder = open_folder();
        let file = folder.path().join("plan.json");
        let plan = plan(who, "env | grep -v ^PWD=; echo $(ls /proc/self/fd); umask");
        std::fs::write(&file, serde_json::to_vec(&plan).unwrap()).unwrap();
        let script = "umask 077; exec 7</proc/self/status 9</proc; exec \"$0\" --config \"$1\"";
        let launcher = launcher();
        let mut shell = command(who, "/bin/sh");
        shell
            .env("SECRET", "key")
            .args(["-c", script])
            .arg(&*launcher)
            .arg(&file);
        let seen = text(&output(&mut shell).stdout);
        // The fourth is the folder that is listed.
        assert_eq!(seen, "PATH=/usr/bin:/bin\n0 1 2 3\n0022", "{who:?}");
    }
}

#[test]
fn limits_count_the_sandbox_alone() {
    let forks = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all";
    for who in everybody() {
        let output = run(who, &plan(who, forks));
        assert!(text(&output.stderr).contains("fork"), "{who:?}: {output:?}");
        assert_eq!(
            said(who, &plan(who, "ulimit -n; ulimit -Hn")),
            "64\n64",
            "{who:?}"
        );
        let mut two = plan(who, "echo $(echo fine)");
        two.limits = vec![ResourceLimit {
            resource: Resource::Processes,
            value: 2,
        }];
        // Others of the same user are not counted: these are as many as the limit allows.
        let busy = crate::start::Started::sandbox(who, &plan(who, "sleep 20 & sleep 20 & sleep 20"));
        assert_eq!(said(who, &two), "fine", "{who:?}");
        drop(busy);
    }
}

#[test]
fn a_bind_has_the_rights_that_are_said() {
    for who in everybody() {
        let folder = open_folder();
        std::fs::create_dir(folder.path().join("w")).unwrap();
        let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path().join("w"), open).unwrap();
        for (access, expected) in [(Access::ReadOnly, "no"), (Access::ReadWrite, "yes")] {
            let mut plan = plan(who, "(echo x > /workspace/x) 2>/dev/null && echo yes || echo no");
            plan.mounts
                .push(bind(folder.path().join("w"), "/workspace", access));
            assert_eq!(said(who, &plan), expected, "{who:?} {access:?}");
        }
    }
}

#[test]
fn root_itself_is_no_identity_for_a_program() {
    if !crate::start::root_here() {
        println!("skipped: this is not run by root");
        return;
    }
    let output = run(Who::Root, &plan(Who::User, "id"));
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("become the program's user"),
        "{output:?}"
    );
}
