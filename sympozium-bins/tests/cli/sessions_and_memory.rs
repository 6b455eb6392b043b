//! What outlives a run: the conversation and the memory.

use crate::place::Place;

#[test]
fn the_second_run_on_a_session_sees_what_the_first_one_said() {
    let place = Place::new();
    let first = "turns: [{text: The word is walrus.}]";
    place.play(first, &["--session", "notes"]).check(0);
    // The script counts the answers of the conversation, so its first turn was played already.
    let second = "
turns:
  - text: never played again
  - expect: { contains: Do it. }
    text: I remember.
";
    let ended = place.play(second, &["--session", "notes"]);
    assert_eq!(ended.check(0).stdout, "I remember.\n");
    let other = place.play(second, &["--session", "other"]);
    assert_eq!(other.check(0).stdout, "never played again\n");

    let listed = place.run(&["sessions", "list", "-o", "json"]).check(0).json();
    let keys: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["other", "notes"]);
    let found = place.run(&["sessions", "list", "--search", "WALRUS"]);
    assert!(
        found.stdout.contains("notes") && !found.stdout.contains("other"),
        "{found:?}"
    );

    let shown = place.run(&["sessions", "show", "notes"]);
    assert!(
        shown.stdout.contains("assistant: The word is walrus."),
        "{shown:?}"
    );
    assert!(shown.stdout.contains("assistant: I remember."), "{shown:?}");
    let by_id = listed[1]["id"].as_str().unwrap();
    let json = place
        .run(&["sessions", "show", by_id, "-o", "json"])
        .check(0)
        .json();
    assert_eq!(json["transcript"].as_array().unwrap().len(), 4);

    let wrong = place.run(&["sessions", "delete", "notes", "nonsense"]);
    assert!(
        wrong.check(2).stderr.contains("There is no session \"nonsense\""),
        "{wrong:?}"
    );
    place.run(&["sessions", "show", "notes"]).check(0);
    place.run(&["sessions", "delete", "notes"]).check(0);
    place.run(&["sessions", "show", "notes"]).check(2);
}

/// Ends with a memory block.
const REMEMBERS: &str = "
turns:
  - text: |
      Noted.
      __SYMPOZIUM_MEMORY__
      ## Team
      Ask Ana.
      __SYMPOZIUM_MEMORY_END__
";

#[test]
fn a_run_with_memory_adds_to_it_and_the_answer_does_not_show_the_block() {
    let place = Place::new();
    let ended = place.play(REMEMBERS, &["--memory"]);
    assert_eq!(ended.check(0).stdout, "Noted.\n");
    assert!(ended.stderr.contains("memory saved"), "{ended:?}");
    assert_eq!(
        place.run(&["memory", "show"]).check(0).stdout.trim(),
        "## Team\nAsk Ana."
    );
    // The next run is given it, beside its task.
    let reads = "
turns:
  - expect: { contains: Ask Ana. }
    text: I know whom to ask.
";
    assert_eq!(
        place.play(reads, &["--memory"]).check(0).stdout,
        "I know whom to ask.\n"
    );
    place.play(reads, &[]).check(1);
    place.play(reads, &["--memory", "--instance", "other"]).check(1);
}

#[test]
fn without_memory_a_block_is_not_saved() {
    let place = Place::new();
    place.play(REMEMBERS, &[]).check(0);
    let shown = place.run(&["memory", "show"]);
    assert_eq!(shown.check(0).stdout, "");
    assert!(shown.stderr.contains("remembers nothing"), "{shown:?}");
}

#[test]
fn a_memory_is_edited_by_file_and_by_editor_and_cleared() {
    let place = Place::new();
    let text = place.file("new.md", "## A\none\n");
    place
        .run(&["memory", "edit", "--from", text.to_str().unwrap()])
        .check(0);
    let edit = |editor: &str| {
        let mut command = place.command();
        command.env("EDITOR", editor).args(["memory", "edit"]);
        crate::place::Ended::of(command.output().unwrap())
    };
    edit("sed -i s/one/two/").check(0);
    assert_eq!(place.run(&["memory", "show"]).stdout, "## A\ntwo\n");
    let unchanged = edit("true");
    assert!(
        unchanged.check(0).stdout.contains("stays as it is"),
        "{unchanged:?}"
    );
    edit("false").check(1);
    edit("no-such-editor-here").check(2);
    assert_eq!(place.run(&["memory", "show"]).stdout, "## A\ntwo\n");
    place.run(&["memory", "clear"]).check(0);
    assert_eq!(place.run(&["memory", "show"]).stdout, "");
}

#[test]
fn an_edit_that_another_one_overtook_loses_nothing() {
    let place = Place::new();
    let saved = place.file("first.md", "first\n");
    place
        .run(&["memory", "edit", "--from", saved.to_str().unwrap()])
        .check(0);
    let other = place.file("other.md", "of another\n");
    // The editor is a script which, while it is open, saves the memory in another way.
    let script = place.file(
        "editor.sh",
        &format!(
            "{} memory edit --from {} >/dev/null && echo mine > \"$1\"\n",
            crate::place::program().display(),
            other.display()
        ),
    );
    let mut command = place.command();
    command
        .env("EDITOR", format!("sh {}", script.display()))
        .args(["memory", "edit"]);
    let ended = crate::place::Ended::of(command.output().unwrap());
    ended.check(1);
    assert_eq!(place.run(&["memory", "show"]).stdout, "of another\n");
    let (_, kept) = ended.stderr.split_once("your text is in ").unwrap();
    let kept = kept.trim().trim_end_matches('.');
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine\n");
    std::fs::remove_file(kept).unwrap();
}
