//! The system prompt and the first message of a run.
//!
//! Pure, and honest: it speaks only of tools, places and people that this run really has. Entry: [`system_prompt`].

use std::fmt::Write;
use sympozium_core::chat::Message;
use sympozium_core::ids::{PackName, ToolName};
use sympozium_core::run::ReplyTo;

/// Instructions of runs whose author gave none.
const BASE: &str = "You are a careful, helpful agent. Work on the task until it is done, then answer with the result. \
                    Check what you can check, and say plainly what you could not do.";

/// The most bytes of skills that go into the prompt; the rest is read with `read_file`. A quarter of a 200,000-token
/// window.
pub const MAX_SKILL_BYTES: usize = 200_000;

/// One skill as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkillText {
    /// The pack; empty for files that belong to none.
    pub pack: String,
    /// The skill, without `.md`.
    pub name: String,
    /// Its Markdown.
    pub content: String,
}

/// What is true of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct PromptFacts<'a> {
    /// The author's instructions, in place of the built-in ones.
    pub author: Option<&'a str>,
    /// The folder that file tools work in; `None` = there is none.
    pub workspace: Option<&'a str>,
    /// Where the skills' files are.
    pub skills_dir: Option<&'a str>,
    /// The skills.
    pub skills: &'a [SkillText],
    /// The tools that the model is offered.
    pub tools: &'a [ToolName],
    /// Where commands can run.
    pub targets: &'a [PackName],
    /// The chat that waits for the answer.
    pub reply_to: Option<&'a ReplyTo>,
    /// The cap of the memory in bytes, when it is on.
    pub memory_max_bytes: Option<u32>,
}

/// The system prompt: instructions, environment, skills, tool use, chat, memory; each part only if it applies.
pub fn system_prompt(facts: &PromptFacts<'_>) -> String {
    let author = facts.author.map(str::trim).filter(|text| !text.is_empty());
    let parts = [
        Some(author.unwrap_or(BASE).to_owned()),
        environment(facts),
        skills(facts),
        tool_usage(facts),
        facts.reply_to.map(|to| chat(to, facts.tools)),
        facts
            .memory_max_bytes
            .map(|max| format!("## Memory\n\n{}", sympozium_core::memory::instruction(max))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// The first message: the memory, if there is one, and the task.
pub fn task_message(task: &str, memory: Option<&str>) -> Message {
    match memory.map(str::trim).filter(|text| !text.is_empty()) {
        Some(memory) => Message::user(format!("## Your Memory\n\n{memory}\n\n## Current Task\n\n{task}")),
        None => Message::user(task),
    }
}

fn has(tools: &[ToolName], name: &str) -> bool {
    tools.iter().any(|tool| tool.as_str() == name)
}

fn environment(facts: &PromptFacts<'_>) -> Option<String> {
    let mut lines = Vec::new();
    let files = ["read_file", "write_file", "list_directory"]
        .iter()
        .any(|tool| has(facts.tools, tool));
    if let Some(workspace) = facts.workspace.filter(|_| files) {
        lines.push(format!(
            "- Your working folder is {workspace}; relative paths start there."
        ));
    }
    if has(facts.tools, "execute_command") && !facts.targets.is_empty() {
        let names: Vec<&str> = facts.targets.iter().map(PackName::as_str).collect();
        lines.push(format!(
            "- Commands run in: {}. Each has its own programs and its own rights.",
            names.join(", ")
        ));
    }
    if facts.tools.is_empty() {
        lines.push("- You have no tools in this run; answer from what you are given.".to_owned());
    }
    (!lines.is_empty()).then(|| format!("## Environment\n\n{}", lines.join("\n")))
}

fn skills(facts: &PromptFacts<'_>) -> Option<String> {
    if facts.skills.is_empty() {
        return None;
    }
    let mut sorted: Vec<&SkillText> = facts.skills.iter().collect();
    sorted.sort();
    let mut text = "## Your Skills".to_owned();
    let mut left_out = Vec::new();
    for skill in sorted {
        let title = match skill.pack.as_str() {
            "" => skill.name.clone(),
            pack => format!("{pack}/{}", skill.name),
        };
        if text.len() + skill.content.len() > MAX_SKILL_BYTES {
            left_out.push(title);
        } else {
            let _ = write!(text, "\n\n### {title}\n\n{}\n\n---", skill.content.trim());
        }
    }
    if !left_out.is_empty() {
        let _ = write!(
            text,
            "\n\nLeft out because they are too long: {}.",
            left_out.join(", ")
        );
        if let Some(folder) = facts.skills_dir.filter(|_| has(facts.tools, "read_file")) {
            let _ = write!(text, " Read them with read_file in {folder} when you need them.");
        }
    }
    Some(text.trim_end_matches("\n\n---").to_owned())
}

fn tool_usage(facts: &PromptFacts<'_>) -> Option<String> {
    if facts.tools.is_empty() {
        return None;
    }
    let mut lines = vec![
        "- Use tools to find out and to act, instead of guessing or telling the reader what to do.",
        "- Independent calls may be made at once. A refused call stays refused: go on without it and say so.",
    ];
    if has(facts.tools, "execute_command") {
        lines.push("- execute_command runs one shell command; its processes end with it.");
    }
    if has(facts.tools, "read_file") {
        lines.push("- read_file shows long files in pieces (offset, limit).");
    }
    Some(format!("## Tool Usage\n\n{}", lines.join("\n")))
}

fn chat(to: &ReplyTo, tools: &[ToolName]) -> String {
    let mut text = format!(
        "## Chat\n\nThe task came from {} (chat {}). Your final answer is sent there by itself.",
        to.channel, to.chat_id
    );
    if has(tools, "send_channel_message") {
        text.push_str(" Use send_channel_message only for messages before that, or to other chats.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::channel::ChannelKind;

    fn names(names: &[&str]) -> Vec<ToolName> {
        names.iter().map(|name| ToolName::new(*name).unwrap()).collect()
    }

    fn skill(pack: &str, name: &str, content: &str) -> SkillText {
        SkillText {
            pack: pack.to_owned(),
            name: name.to_owned(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn a_run_without_anything_is_told_so_and_nothing_else() {
        let prompt = system_prompt(&PromptFacts::default());
        assert!(prompt.starts_with("You are a careful"));
        assert!(prompt.contains("no tools"));
        for word in [
            "workspace",
            "Skills",
            "Tool Usage",
            "Chat",
            "Memory",
            "kubectl",
            "execute_command",
        ] {
            assert!(!prompt.contains(word), "{word}");
        }
    }

    #[test]
    fn each_part_speaks_of_what_is_there() {
        let tools = names(&["execute_command", "read_file", "send_channel_message"]);
        let targets = [
            PackName::new("k8s-ops").unwrap(),
            PackName::new("sandbox").unwrap(),
        ];
        let reply_to = ReplyTo {
            channel: ChannelKind::Telegram,
            chat_id: "42".to_owned(),
        };
        let skills = [
            skill("b", "x", "BX"),
            skill("a", "z", "AZ"),
            skill("a", "y", "AY"),
        ];
        let prompt = system_prompt(&PromptFacts {
            author: Some("Be brief."),
            workspace: Some("/workspace"),
            skills_dir: Some("/skills"),
            skills: &skills,
            tools: &tools,
            targets: &targets,
            reply_to: Some(&reply_to),
            memory_max_bytes: Some(65_536),
        });
        insta::assert_snapshot!(prompt);
    }

    #[test]
    fn skills_over_the_bound_are_named_instead() {
        let long = "x".repeat(MAX_SKILL_BYTES);
        let skills = [skill("a", "long", &long), skill("a", "short", "text")];
        let prompt = system_prompt(&PromptFacts {
            skills: &skills,
            skills_dir: Some("/skills"),
            tools: &names(&["read_file"]),
            ..PromptFacts::default()
        });
        assert!(prompt.len() < 2000);
        assert!(prompt.contains("too long: a/long. Read them with read_file in /skills"));
        assert!(prompt.contains("### a/short"));
    }

    #[test]
    fn memory_stands_before_the_task() {
        assert_eq!(task_message("do", None), Message::user("do"));
        assert_eq!(task_message("do", Some(" \n")), Message::user("do"));
        assert_eq!(
            task_message("do", Some("## A\nb\n")).text(),
            "## Your Memory\n\n## A\nb\n\n## Current Task\n\ndo"
        );
    }
}
