//! What the end of a run means for the program. Pure.

use crate::cli::failure::Exit;
use sympozium_core::run::{AgentResult, Ending, RunPhase};

/// How a run ended, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The phase.
    pub(super) phase: RunPhase,
    /// The exit code.
    pub(super) exit: Exit,
    /// Why it did not succeed, in one sentence.
    pub(super) error: Option<String>,
}

/// What an ending means. `exit_code` and `result` are the agent's; `complaint` is the last that it wrote to its standard
/// error.
pub(super) fn outcome(
    ending: &Ending,
    exit_code: Option<i32>,
    result: Option<&AgentResult>,
    complaint: &str,
) -> Outcome {
    let said = result.and_then(|result| result.error.clone());
    let failed = |exit, error: String| Outcome {
        phase: RunPhase::Failed,
        exit,
        error: Some(error),
    };
    match ending {
        Ending::Answered => Outcome {
            phase: RunPhase::Succeeded,
            exit: Exit::Success,
            error: None,
        },
        Ending::Error(error) => failed(of_agent(exit_code), error.clone()),
        Ending::Died { exit_code } => {
            let complaint = complaint.trim();
            let colon = if complaint.is_empty() { "." } else { ": " };
            failed(
                of_agent(Some(*exit_code)),
                format!("The agent ended with exit code {exit_code} and left no result{colon}{complaint}"),
            )
        }
        Ending::Deadline => failed(
            Exit::Deadline,
            said.unwrap_or_else(|| "The time was up before there was an answer.".to_owned()),
        ),
        Ending::Cancelled => Outcome {
            phase: RunPhase::Cancelled,
            exit: Exit::Cancelled,
            error: Some("The run was cancelled.".to_owned()),
        },
        Ending::Lost => failed(Exit::Failed, "The run is gone.".to_owned()),
    }
}

/// The agent's own exit code, where it means something; else a failure.
const fn of_agent(exit_code: Option<i32>) -> Exit {
    match exit_code {
        Some(2) => Exit::BadInput,
        Some(3) => Exit::Refused,
        Some(4) => Exit::Deadline,
        Some(130) => Exit::Cancelled,
        _ => Exit::Failed,
    }
}

/// The exit code of several runs: the first that is no success.
pub(super) fn overall(exits: &[Exit]) -> Exit {
    exits
        .iter()
        .copied()
        .find(|exit| *exit != Exit::Success)
        .unwrap_or(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_its_exit_code() {
        let check = |ending: Ending, exit_code, expected: Exit, part: &str| {
            let outcome = outcome(&ending, exit_code, None, "it broke\n");
            assert_eq!(outcome.exit, expected, "{ending:?}");
            let error = outcome.error.unwrap_or_default();
            assert!(error.contains(part), "{error}");
        };
        check(Ending::Answered, Some(0), Exit::Success, "");
        check(Ending::Error("no key".into()), Some(1), Exit::Failed, "no key");
        check(
            Ending::Error("a policy".into()),
            Some(3),
            Exit::Refused,
            "a policy",
        );
        check(Ending::Error("bad".into()), Some(2), Exit::BadInput, "bad");
        check(
            Ending::Died { exit_code: 137 },
            Some(137),
            Exit::Failed,
            "137 and left no result: it broke",
        );
        check(Ending::Deadline, None, Exit::Deadline, "time was up");
        check(Ending::Cancelled, Some(130), Exit::Cancelled, "cancelled");
        check(Ending::Lost, None, Exit::Failed, "gone");
    }

    #[test]
    fn the_first_failure_is_the_exit_code_of_all() {
        assert_eq!(overall(&[]), Exit::Success);
        assert_eq!(
            overall(&[Exit::Success, Exit::Refused, Exit::Failed]),
            Exit::Refused
        );
    }
}
