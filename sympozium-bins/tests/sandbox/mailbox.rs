//! Ways around the executor's rules, by the folders in which requests, results and answers travel.

attacks! {
    a_result_that_a_command_forges: Untried, "{ echo '{}' > /ipc/tools/exec-result-1.json; } 2>/dev/null && echo $E; ls /ipc/tools/exec-* 2>/dev/null | grep -q . && [ -r /ipc/tools ] && cat /ipc/tools/* >/dev/null 2>&1 && [ ! -d /ipc/output ] && echo $E";
    an_approval_that_is_forged: Untried, "{ echo '{}' > /ipc/approvals/1.json; } 2>/dev/null && echo $E; { echo '{}' > /ipc/approvals/sandbox/1.json; } 2>/dev/null && echo $E";
    a_receipt_that_is_forged: Untried, "{ echo '{}' > /ipc/receipts/1.json; } 2>/dev/null && echo $E";
    an_input_that_is_changed: Untried, "{ echo '{}' > /ipc/input/task.json; } 2>/dev/null && echo $E; rm -f /ipc/input/* 2>/dev/null; rmdir /ipc/input 2>/dev/null && echo $E";
    the_folders_of_the_mailbox_replaced: Untried, "for d in output messages spawn schedules approvals-out input receipts approvals tools; do [ -d /ipc/$d ] || continue; mv /ipc/$d /ipc/$d.old 2>/dev/null && echo \"$E $d\"; rmdir /ipc/$d 2>/dev/null && echo \"$E $d\"; ln -sfn /etc /ipc/$d 2>/dev/null && [ -L /ipc/$d ] && echo \"$E $d\"; done; true";
    another_folder_in_the_mailbox: Untried, "mkdir /ipc/more 2>/dev/null && echo $E; ln -s / /ipc/root 2>/dev/null && echo $E; true";
    the_configuration_of_the_run: Untried, "for f in $(find /run/sympozium /state /etc -name '*.json' 2>/dev/null); do { : >> $f; } 2>/dev/null && case $f in /state/*) ;; *) echo \"$E $f\";; esac; done; true";
    a_skill_that_is_rewritten: Untried, "for f in $(find /skills /memory 2>/dev/null); do [ -w $f ] && echo \"$E $f\"; done; true";
    a_result_that_is_a_link: Untried, "[ -d /ipc/output ] && ln -s @SECRET@ /ipc/output/result.json; [ -d /ipc/output ] && ln -s @SECRET@ /ipc/output/stream-1.json; true";
    a_mailbox_full_of_links: Untried, "for d in output messages spawn schedules approvals-out; do [ -d /ipc/$d ] && ln -s @FOLDER@ /ipc/$d/rejected && ln -s @SECRET@ /ipc/$d/send-1.json && ln -s @SECRET@ /ipc/$d/request-1.json && mkfifo /ipc/$d/schedule-1.json && echo '{' > /ipc/$d/stream-9.json; done; true";
}
