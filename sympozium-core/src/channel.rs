//! The seam to a chat platform: [`Channel`]. A relay does everything that is the same for all platforms.

use crate::error::{BoxError, Classify, Retry};
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The chat platforms of the contract (`channels[].type`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Telegram.
    Telegram,
    /// WhatsApp.
    Whatsapp,
    /// Discord.
    Discord,
    /// Slack.
    Slack,
}

impl ChannelKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Telegram, Self::Whatsapp, Self::Discord, Self::Slack];

    /// The name in CRDs, subjects and `/ipc` files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Whatsapp => "whatsapp",
            Self::Discord => "discord",
            Self::Slack => "slack",
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One chat platform's connection.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Which platform.
    fn kind(&self) -> ChannelKind;

    /// Messages as they come. The stream ends only on an error that a new connection may cure.
    async fn inbound(&self) -> Result<BoxStream<'static, Result<Inbound, ChannelError>>, ChannelError>;

    /// Sends one message, split by the adapter where the platform has a limit. Returns the platform's id of the first.
    async fn send(&self, message: Outbound) -> Result<String, ChannelError>;
}

/// A message from a person. JSON keys as on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inbound {
    /// The platform's id of the message; with the channel it derives the run's name, so that a redelivery starts nothing twice.
    pub message_id: String,
    /// The chat.
    pub chat_id: String,
    /// The person's id on the platform.
    pub sender_id: String,
    /// The person's shown name.
    #[serde(default)]
    pub sender_name: String,
    /// What was said.
    pub text: String,
}

/// A message to a chat. JSON keys as on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbound {
    /// The id of this message; a platform that can recognise repetitions is given it.
    pub id: String,
    /// The chat.
    pub chat_id: String,
    /// What to say.
    pub text: String,
}

/// Why a chat platform failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The credentials were refused.
    #[error("{channel} refused the credentials")]
    Authentication {
        /// The platform.
        channel: ChannelKind,
    },
    /// The platform asks to slow down.
    #[error("{channel} asks to slow down")]
    RateLimited {
        /// The platform.
        channel: ChannelKind,
        /// When to try again.
        after: Duration,
    },
    /// The message was refused for good.
    #[error("{channel} refused the message: {detail}")]
    Refused {
        /// The platform.
        channel: ChannelKind,
        /// Its words.
        detail: String,
    },
    /// It could not be reached.
    #[error("reach {channel}")]
    Connect {
        /// The platform.
        channel: ChannelKind,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Classify for ChannelError {
    fn retry(&self) -> Retry {
        match self {
            Self::Authentication { .. } | Self::Refused { .. } => Retry::Never,
            Self::RateLimited { after, .. } => Retry::After(*after),
            Self::Connect { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Authentication { .. } => "authentication",
            Self::RateLimited { .. } => "rate-limited",
            Self::Refused { .. } => "refused",
            Self::Connect { .. } => "connect",
        }
    }
}
