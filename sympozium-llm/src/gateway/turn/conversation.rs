//! What goes upstream. Pure.

use sha2::{Digest, Sha256};
use sympozium_core::chat::{ChatRequest, Message, Role, Shorten, shorten_tool_output, well_formed};
use sympozium_core::gateway::{HistorySize, TurnRequest};
use sympozium_core::ids::RunUid;
use sympozium_core::run::RunPlan;
use sympozium_core::store::Turn as StoredTurn;

/// A session's turns, seen from one run.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// What other runs said before this one said anything.
    pub(crate) before: Vec<Message>,
    /// What this run has said, in order.
    pub(crate) own: Vec<StoredTurn>,
    /// Bytes of all of it, in its JSON form.
    weight: u64,
}

impl Conversation {
    pub(crate) fn of(run: RunUid, turns: Vec<StoredTurn>) -> Self {
        let first = turns
            .iter()
            .position(|turn| turn.run == run)
            .unwrap_or(turns.len());
        let (mut before, mut own) = (Vec::new(), Vec::new());
        for (i, turn) in turns.into_iter().enumerate() {
            if turn.run == run {
                own.push(turn);
            } else if i < first {
                before.push(turn.message);
            }
        }
        own.sort_by_key(|turn| turn.index);
        let before = well_formed(before);
        let weight = before.iter().chain(own.iter().map(|turn| &turn.message));
        Self {
            weight: weight.filter_map(json_len).sum(),
            before,
            own,
        }
    }

    /// Adds what this run has said since.
    pub(crate) fn go_on(&mut self, turns: Vec<StoredTurn>) {
        self.weight += turns
            .iter()
            .filter_map(|turn| json_len(&turn.message))
            .sum::<u64>();
        self.own.extend(turns);
    }

    /// Roughly how much memory it takes. Never nothing, so that as many as there may be are bounded too.
    pub(crate) const fn weight(&self) -> u64 {
        self.weight.saturating_add(1024)
    }

    pub(crate) fn size(&self) -> HistorySize {
        let bytes = self.before.iter().filter_map(json_len).sum();
        HistorySize {
            messages: u32::try_from(self.before.len()).unwrap_or(u32::MAX),
            bytes,
        }
    }

    /// The answer that stands behind these very messages already: a former attempt stored it and died before it could
    /// say so.
    pub(crate) fn answered(&self, turn: &TurnRequest) -> Option<&StoredTurn> {
        let from = turn.base as usize;
        let messages = self.own.get(from..from.checked_add(turn.messages.len())?)?;
        let same = messages.iter().map(|turn| &turn.message).eq(&turn.messages);
        self.own
            .get(from + turn.messages.len())
            .filter(|answer| same && answer.message.role == Role::Assistant)
    }
}

/// What of a conversation that its sender keeps is not in the transcript yet: what was said since the model spoke last,
/// and all of it at the `beginning`.
pub(crate) fn unheard(said: &[Message], beginning: bool) -> &[Message] {
    let spoken = said.iter().rposition(|message| message.role == Role::Assistant);
    let from = spoken.filter(|_| !beginning).map_or(0, |last| last + 1);
    said.get(from..).unwrap_or_default()
}

/// The request that goes upstream.
pub(crate) fn upstream(
    plan: &RunPlan,
    conversation: &Conversation,
    turn: &TurnRequest,
    max_tokens: u32,
) -> ChatRequest {
    let mut own: Vec<_> = conversation.own.iter().map(|turn| turn.message.clone()).collect();
    own.extend(turn.messages.iter().cloned());
    let mut before = conversation.before.clone();
    if let Some(rule) = turn.shorten {
        shorten_tool_output(&mut own, rule);
        // What came before the run is older than anything in it.
        shorten_tool_output(
            &mut before,
            Shorten {
                before: u32::MAX,
                keep: rule.keep,
            },
        );
    }
    before.extend(own);
    let mut request = ChatRequest::new(plan.model.model.clone())
        .messages(before)
        .tools(turn.tools.clone());
    request.system.clone_from(&turn.system);
    request.tool_choice = turn.tool_choice.clone();
    request.thinking = plan.model.thinking;
    request.max_tokens = Some(max_tokens);
    request
}

/// The length of a value's JSON form, without making it; `None` for a value that has none.
pub(super) fn json_len<T: serde::Serialize>(value: &T) -> Option<u64> {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).ok()?;
    Some(counted.0)
}

/// Counts what is written.
struct Counted(u64);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The SHA-256 of a request in its canonical form: as we write it, whatever spacing or key order it came in.
pub(crate) fn hash<T: serde::Serialize>(kind: &str, request: &T) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(kind.as_bytes());
    sha.update(serde_json::to_vec(request).unwrap_or_default());
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_since_the_model_spoke_is_new() {
        let [a, b, c] = [Message::user("a"), Message::assistant("b"), Message::user("c")];
        let said = [a.clone(), b.clone(), c.clone()];
        assert_eq!(unheard(&said, false), [c]);
        assert_eq!(unheard(&said, true), said);
        assert_eq!(unheard(&said[..2], false), []);
        assert_eq!(unheard(&said[..1], false), [a]);
    }
}
