//! Ways to keys, files and memory of others.

attacks! {
    the_providers_key_in_the_environment: Escapes, "env | grep -v ^E=; tr '\\0' '\\n' < /proc/@VICTIM@/environ";
    the_environment_of_the_parent: Escapes, "tr '\\0' '\\n' < /proc/@VICTIM@/environ; tr '\\0' '\\n' < /proc/$PPID/environ";
    the_environment_of_any_process: Escapes, "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null | grep canary";
    the_environment_of_a_thread: Escapes, "for p in /proc/[0-9]*/task/*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null | grep canary";
    the_first_processs_environment: Untried, "tr '\\0' '\\n' < /proc/1/environ | grep -i -e canary -e KEY";
    the_memory_of_the_first_process: Untried, "dd if=/proc/1/mem bs=1 count=1 skip=4194304 2>/dev/null | wc -c | grep -q '^1$' && echo $E; cat /proc/1/maps | grep -q . && [ $$ != 1 ] && [ \"$(cat /proc/$$/comm)\" = sh ] && cat /proc/1/comm | grep -q sympozium && echo $E";
    the_home_folder: Escapes, "cat @HOME@/id_ed25519";
    the_home_folder_of_root: Escapes, "[ -d /root ] && echo $E";
    the_home_folders: Escapes, "[ -d /home ] && echo $E";
    the_users_home_by_its_name: Untried, "for u in root nobody agent; do d=$(eval echo ~$u); [ -d \"$d\" ] && [ -n \"$(ls -A \"$d\" 2>/dev/null)\" ] && [ \"$d\" != \"$HOME\" ] && echo \"$E $d\"; done";
    the_password_file: Escapes, "[ -e /etc/shadow ] && echo $E";
    the_names_of_the_machines_users: Escapes, "grep -q '^daemon:' /etc/passwd && echo $E";
    a_readable_file_in_the_machines_tmp: Escapes, "cat @SECRET@";
    the_machines_tmp: Escapes, "ls @FOLDER@ | grep -q secret.txt && echo $E";
    the_machines_var: Escapes, "[ -d /var/lib ] && echo $E";
    the_machines_srv: Escapes, "[ -d /srv ] && echo $E";
    the_machines_opt: Escapes, "[ -d /opt ] && echo $E";
    the_machines_boot: Escapes, "[ -d /boot ] && echo $E";
    the_machines_identity: Escapes, "[ -s /etc/machine-id ] || [ -e /etc/hostname ] && echo $E";
    the_machines_name: Escapes, "h=$(cat /proc/sys/kernel/hostname); [ \"$h\" != sandbox ] && echo $E";
    the_machines_mounts: Escapes, "grep -q -e ' /sys ' -e ' /home' -e ' /var' -e cgroup /proc/self/mountinfo && echo $E";
    the_machines_devices: Escapes, "[ -d /sys/devices ] && echo $E";
    the_data_folder_of_the_program: Escapes, "ls @DATA@ | grep -q . && echo $E";
    the_database_of_the_program: Escapes, "for f in @DATA@/*.db @DATA@/*/*.db @DATA@/*.sqlite*; do [ -e \"$f\" ] && echo $E; done; find @DATA@ -type f | grep -q . && echo $E";
    the_root_of_another_process: Escapes, "cat /proc/@VICTIM@/root@SECRET@";
    the_folder_of_another_process: Escapes, "ls /proc/@VICTIM@/cwd/ && ls /proc/@VICTIM@/cwd/ | grep -q . && echo $E";
    the_open_files_of_another_process: Escapes, "ls /proc/@VICTIM@/fd | grep -q 0 && echo $E";
    the_own_root_from_above: Untried, "cat /proc/self/root@SECRET@; cat /proc/self/root/../../..@SECRET@; cat /../../..@SECRET@";
    files_that_were_left_open: Untried, "for f in /proc/self/fd/*; do n=${f##*/}; t=$(readlink $f); case $t in pipe:*|/dev/null|/proc/*|socket:*) ;; /*) [ $n -gt 2 ] && echo \"$E $t\";; esac; done; ls /proc/1/fd 2>/dev/null | while read n; do t=$(readlink /proc/1/fd/$n); case $t in /root*|/home*|@DATA@*) echo \"$E $t\";; esac; done";
    a_folder_of_the_host_through_an_open_file: Untried, "for f in /proc/*/fd/*; do [ -d $f/. ] && [ -e $f/../../../../..@SECRET@ ] && echo $E; done";
    the_kernels_log: Escapes, "sc 103 10 0 0";
    the_kernels_memory: Escapes, "[ -r /dev/mem ] && echo $E; [ -e /dev/kmsg ] && echo $E";
    the_kernels_symbols: Escapes, "grep -v '^0000000000000000' /proc/kallsyms | grep -q . && echo $E";
    the_kernels_image_of_memory: Untried, "dd if=/proc/kcore bs=1 count=1 2>/dev/null | wc -c | grep -q '^1$' && echo $E";
    the_disks: Escapes, "for d in /dev/[svx]d[a-z]* /dev/vd* /dev/nvme* /dev/loop* /dev/dm-*; do [ -b $d ] && echo $E; done; grep -q ' /dev$' /proc/mounts; [ -e /dev/mem ] && echo $E";
    the_terminals: Escapes, "[ -e /dev/ptmx ] && echo $E";
    the_controlling_terminal: Untried, "{ : > /dev/tty; } 2>/dev/null && echo $E";
    the_command_line_of_other_processes: Escapes, "cat /proc/@VICTIM@/cmdline | tr '\\0' ' ' | grep -q sleep && echo $E";
    the_history_of_the_shell: Untried, "cat ~/.bash_history ~/.ssh/* ~/.aws/* ~/.kube/config ~/.docker/config.json 2>/dev/null | grep -q . && echo $E";
    a_key_in_the_kernels_keyring: Untried, "sc 249 user x 0 -3";
}
