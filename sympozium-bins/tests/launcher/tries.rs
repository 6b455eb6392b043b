//! What trying a plan says.

use crate::start::{Who, attempt, command, everybody, launcher, open_folder, output, plan, text};
use sympozium_core::local::sandbox::{SetupError, Step, TryOutcome};

#[test]
fn a_plan_that_works_is_tried_without_starting_its_program() {
    for who in everybody() {
        let folder = open_folder();
        let file = folder.path().join("plan.json");
        std::fs::write(&file, serde_json::to_vec(&plan(who, "echo started")).unwrap()).unwrap();
        let launcher = launcher();
        let output = output(command(who, &*launcher).args(["--try", "--config"]).arg(&file));
        let said = text(&output.stdout);
        assert!(
            said.starts_with("{\"ok\":{\"landlock\":") && said.lines().count() == 1,
            "{who:?}: {said}"
        );
        assert!(output.status.success());
    }
}

#[test]
fn what_does_not_work_is_said_with_its_step() {
    for who in everybody() {
        let mut plan = plan(who, "true");
        plan.program = "/nothing".into();
        let expected = SetupError {
            step: Step::Program,
            path: Some("/nothing".into()),
            errno: 2,
        };
        assert_eq!(attempt(who, &plan), TryOutcome::Failed(expected), "{who:?}");
    }
}

#[test]
fn where_user_namespaces_are_forbidden_that_is_what_is_said() {
    if !everybody().contains(&Who::User) {
        return;
    }
    let folder = open_folder();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, serde_json::to_vec(&plan(Who::User, "true")).unwrap()).unwrap();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces || exit 9; exec \"$0\" --try --config \"$1\"";
    let mut outer = command(Who::User, "unshare");
    outer.args(["--user", "--map-current-user", "--keep-caps", "sh", "-c", script]);
    let launcher = launcher();
    let output = output(outer.arg(&*launcher).arg(&file));
    if !output.status.success() {
        println!(
            "skipped: no namespace without namespaces here: {}",
            text(&output.stderr)
        );
        return;
    }
    let expected = "{\"failed\":{\"step\":\"user-namespace\",\"path\":null,\"errno\":28}}";
    assert_eq!(text(&output.stdout), expected);
}
