//! Ways to change what is not the run's.

use crate::attack::{held, inside};
use crate::machine::Machine;
use crate::outputs;
use crate::who::Who;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

attacks! {
    a_file_in_the_root: Escapes, "f=/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f 2>/dev/null";
    a_file_among_the_programs: Escapes, "f=/usr/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_among_the_libraries: Escapes, "f=/lib/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_in_etc: Escapes, "f=/etc/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_in_dev: Escapes, "f=/dev/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_in_run: Escapes, "f=/run/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_in_var: Escapes, "f=/var/tmp/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_in_a_home: Escapes, "f=@HOME@/sympozium-test-$$; { : > $f; } 2>/dev/null && echo $E; rm -f $f";
    a_file_beside_the_workspace: Escapes, "f=@FOLDER@/home/planted; { : > $f; } 2>/dev/null && [ -e $f ] && echo $E";
    a_file_beside_the_skills: Untried, "for d in /skills /memory /ipc /; do { : > $d/planted; } 2>/dev/null && echo \"$E $d\"; done";
    a_folder_in_the_root: Escapes, "d=/sympozium-test-$$; mkdir $d 2>/dev/null && echo $E; rmdir $d 2>/dev/null";
    a_change_of_a_program: Untried, "for f in /usr/bin/* /run/sympozium/*; do [ -f $f ] && [ -w $f ] && echo \"$E $f\"; done; { : >> /proc/1/exe; } 2>/dev/null && echo $E";
    a_change_of_the_own_program: Untried, "{ : >> /proc/self/exe; } 2>/dev/null && echo $E; chmod 777 /bin/sh 2>/dev/null && echo $E";
    a_change_of_the_kernels_settings: Untried, "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/overcommit_memory /proc/sysrq-trigger /proc/sys/kernel/hostname; do { : >> $f; } 2>/dev/null && [ -w $f ] && { cat $f > $f; } 2>/dev/null && echo \"$E $f\"; done";
    a_second_root_in_proc: Untried, "for p in /proc/[0-9]*; do [ -e $p/root/root ] && echo \"$E $p\"; [ -e $p/root/var/lib ] && echo \"$E $p\"; done";
    a_mount_that_can_be_written_again: Untried, "mount -o remount,rw / 2>/dev/null && echo $E; mount -o remount,rw /usr 2>/dev/null && echo $E; mount -o remount,rw,bind /usr 2>/dev/null && echo $E";
    a_mount_that_is_taken_away: Untried, "umount -l /usr 2>/dev/null && echo $E; umount -l /proc 2>/dev/null && echo $E; umount -l /tmp 2>/dev/null && echo $E";
    a_mount_over_the_programs: Untried, "mount -t tmpfs x /usr 2>/dev/null && echo $E; mount --bind /tmp /usr 2>/dev/null && echo $E";
    a_device_file: Escapes, "cd /tmp; mknod null-$$ c 1 3 2>/dev/null && echo $E; rm -f null-$$";
    a_disk_file: Untried, "cd /tmp; mknod disk-$$ b 254 0 2>/dev/null && echo $E; rm -f disk-$$";
    a_program_of_its_own_that_runs_as_its_owner: Escapes, "cd /tmp; cp /bin/true own-$$; chmod 4755 own-$$ 2>/dev/null && [ -u own-$$ ] && echo $E; rm -f own-$$";
    a_program_of_its_own_that_runs_as_its_group: Escapes, "cd /tmp; cp /bin/true own-$$; chmod 2755 own-$$ 2>/dev/null && [ -g own-$$ ] && echo $E; rm -f own-$$";
    a_file_that_is_made_to_run_as_its_owner: Escapes, "cd /tmp; f=made-$$; perl -e 'umask 0; sysopen(F, $ARGV[0], 0101, 04755) and print \"$ENV{E}\\n\" if 1' $f; [ -u $f ] || : ; rm -f $f";
    a_folder_that_gives_its_group_away: Escapes, "cd /tmp; d=made-$$; mkdir $d; chmod g+s $d 2>/dev/null && [ -g $d ] && echo $E; rmdir $d";
    the_program_that_changes_users: Untried, "[ -u /bin/su ] && echo '' | su -c 'id -u' 2>/dev/null | grep -q '^0$' && echo $E; for f in /usr/bin/passwd /usr/bin/mount /usr/bin/newgrp; do [ -u $f ] && $f --version >/dev/null 2>&1; done; grep ' / .*\\(rw\\),' /proc/self/mountinfo | grep -q 'rw,relatime' && grep -q ' /usr .*suid' /proc/self/mountinfo && ! grep -q ' /usr .*nosuid' /proc/self/mountinfo && echo $E";
    a_mount_on_which_programs_run_as_their_owner: Untried, "awk '$6 !~ /nosuid/ && $5 != \"/\" { print ENVIRON[\"E\"], $0 }' /proc/self/mountinfo";
    a_mount_on_which_devices_work: Untried, "awk '$6 !~ /nodev/ && $5 !~ /^\\/dev/ && $5 != \"/\" { print ENVIRON[\"E\"], $0 }' /proc/self/mountinfo";
    a_change_of_an_owner: Escapes, "cd /tmp; f=own-$$; : > $f; chown 12345 $f 2>/dev/null && echo $E; rm -f $f";
    a_lasting_right_of_a_file: Escapes, "cd /tmp; f=cap-$$; cp /bin/true $f; perl -e 'my ($p, $n) = (\"$ARGV[0]\\0\", \"security.capability\\0\"); my $v = pack(\"V5\", 0x02000001, 0xffffffff, 0, 0, 0); print syscall(188, $p, $n, $v, 20, 0) == 0 ? \"$ENV{E}\\n\" : \"$!\\n\"' $f; rm -f $f";
    a_file_by_its_handle: Escapes, "sc 304 -100 0 0";
    a_handle_of_a_file: Escapes, "sc 303 -100 / 0 0 0";
}

/// A run with a folder of the user's as its workspace, and what a command in it said.
fn in_a_workspace(
    who: Who,
    prepare: impl Fn(&Machine),
    script: &str,
    suffix: &str,
) -> (Machine, outputs::Shown) {
    let machine = Machine::new(who);
    prepare(&machine);
    let script = inside(&machine, script);
    let workspace = format!("{}{suffix}", machine.path("work").display());
    let shown = outputs::from_a_skill(
        &machine,
        &script,
        &["--sandbox", "full", "--workspace", &workspace],
    );
    (machine, shown)
}

fn everybody(name: &str, test: impl Fn(Who)) {
    for who in Who::all() {
        match who.cannot() {
            Some(why) => println!("skipped: {name} as {who:?}: {why}"),
            None => test(who),
        }
    }
}

#[test]
fn a_link_in_the_workspace_to_a_secret() {
    everybody("a link in the workspace", |who| {
        let prepare =
            |machine: &Machine| symlink(machine.path("secret.txt"), machine.path("work/link")).unwrap();
        let (machine, shown) = in_a_workspace(
            who,
            prepare,
            "cat /workspace/link; cat /workspace/../..@SECRET@",
            "",
        );
        held("a link", "a skill's shell", who, &machine, &shown);
    });
}

#[test]
fn a_workspace_that_is_only_read() {
    everybody("a workspace that is only read", |who| {
        let prepare = |machine: &Machine| {
            machine.file("work/given.txt", "given\n");
        };
        let script = "cat /workspace/given.txt; cd /workspace; { : > new; } 2>/dev/null && echo $E; \
                      { echo x >> given.txt; } 2>/dev/null && echo $E; rm -f given.txt 2>/dev/null; mv given.txt g 2>/dev/null && echo $E; \
                      chmod 777 . 2>/dev/null && echo $E; true";
        let (machine, shown) = in_a_workspace(who, prepare, script, ":ro");
        held("a change", "a skill's shell", who, &machine, &shown);
        assert!(shown.text.contains("given"), "{shown:?}");
        assert_eq!(
            std::fs::read_to_string(machine.path("work/given.txt")).unwrap(),
            "given\n"
        );
    });
}

#[test]
fn a_file_in_a_given_workspace_belongs_to_its_owner_and_runs_as_nobody_else() {
    everybody("a file in a given workspace", |who| {
        let script = "cd /workspace; cp /bin/true t; chmod 4755 t 2>/dev/null; chmod u+s t 2>/dev/null; chmod 6777 t 2>/dev/null; \
                      mkdir d; chmod 2777 d 2>/dev/null; mknod n c 1 3 2>/dev/null; echo made > made";
        let (machine, shown) = in_a_workspace(who, |_| {}, script, "");
        held("a setuid file", "a skill's shell", who, &machine, &shown);
        for name in ["made", "t", "d"] {
            let meta = std::fs::symlink_metadata(machine.path("work").join(name)).unwrap();
            assert_eq!(meta.uid(), who.id(), "{name} belongs to the user");
            assert_eq!(meta.permissions().mode() & 0o6000, 0, "{name}");
        }
        assert!(!machine.path("work/n").exists(), "no device was made");
    });
}

#[test]
fn a_hard_link_out_of_the_workspace() {
    everybody("a hard link", |who| {
        let script = "cd /workspace; for f in /usr/bin/env /etc/passwd /run/sympozium/* /skills/* @SECRET@; do ln $f here 2>/dev/null && echo \"$E $f\"; done; true";
        let (machine, shown) = in_a_workspace(who, |_| {}, script, "");
        held("a hard link", "a skill's shell", who, &machine, &shown);
        assert!(!machine.path("work/here").exists());
    });
}
