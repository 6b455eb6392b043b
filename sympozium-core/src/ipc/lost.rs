//! What a bridge says about files that it could not send, in its container's termination message.

use serde::{Deserialize, Serialize};

/// Events that were lost with their run.
///
/// The text is JSON with the count first, so that a message which somebody cuts still says how many there were.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostEvents {
    /// How many files were not sent.
    pub events_lost: u64,
    /// Their paths below `/ipc`, the most important first; as many as there was room for.
    pub files: Vec<String>,
}

impl LostEvents {
    /// The message of at most so many bytes. Below about 40 bytes there is no room for any message, and it is empty.
    pub fn message(&self, most_bytes: usize) -> String {
        let mut said = Self {
            events_lost: self.events_lost,
            files: Vec::new(),
        };
        let mut text = said.json();
        for file in &self.files {
            said.files.push(file.clone());
            let longer = said.json();
            if longer.len() > most_bytes {
                break;
            }
            text = longer;
        }
        if text.len() > most_bytes {
            text.clear();
        }
        text
    }

    /// Reads a message; `None` when it is none.
    pub fn from_message(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_bound_and_always_says_how_many() {
        let lost = LostEvents {
            events_lost: 3,
            files: vec!["output/result.json".into(), "messages/send-1.json".into()],
        };
        let whole = lost.message(4096);
        assert_eq!(LostEvents::from_message(&whole), Some(lost.clone()));
        for most in [40, 60, 70, 90, 4096] {
            let text = lost.message(most);
            assert!(text.len() <= most, "{most}: {text}");
            assert_eq!(LostEvents::from_message(&text).unwrap().events_lost, 3, "{most}");
        }
        let one = LostEvents::from_message(&lost.message(60)).unwrap();
        assert_eq!(one.files, ["output/result.json"]);
        assert_eq!(lost.message(10), "");
        assert_eq!(LostEvents::from_message("out of memory"), None);
    }
}
