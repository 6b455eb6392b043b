//! What becomes of messages that nobody could act on.

use super::Envelope;

/// The JetStream stream of dead letters, the root of their subjects.
pub(super) const DEAD: &str = "sympozium-dead";

/// A message that a reader could not act on.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The reader.
    pub reader: String,
    /// The message.
    pub envelope: Envelope,
    /// How often it was delivered.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
}
