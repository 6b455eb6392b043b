//! The three streams and their limits.

use super::answer;
use super::link::Link;
use crate::bus::dead_letter::DEAD;
use crate::bus::{BusError, StreamKind};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use serde_json::json;
use std::time::Duration;

/// The server's notices of messages that were given up. A stream keeps them until they are acted on.
pub(super) const NOTICES: [&str; 2] = [
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED",
];
const DAY: Duration = Duration::from_hours(24);
/// How long an id is remembered. A bridge that was cut off for ten minutes repeats what was not confirmed.
const DUPLICATES: Duration = Duration::from_mins(15);

/// How large the streams may grow, and how many servers keep each.
///
/// Their sizes are reserved: a server whose store is smaller refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of messages to be acted on, of seven days. Beyond them publishing is refused until the oldest have aged.
    /// Default 4 GiB.
    pub work_bytes: u64,
    /// Bytes of messages for watching, of one hour. Beyond them the oldest give way. Default 512 MiB.
    pub watch_bytes: u64,
    /// Bytes of dead letters, of thirty days. Beyond them the oldest give way. Default 256 MiB.
    pub dead_bytes: u64,
    /// 1, 3 or 5; more than the servers that there are is refused. Default 1.
    pub replicas: u8,
}

impl Default for StreamLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            work_bytes: u64::MAX,
            watch_bytes: 512 * MIB,
            dead_bytes: 256 * MIB,
            replicas: 1,
        }
    }
}

/// The streams as they should be.
pub(super) fn all(limits: &StreamLimits) -> [Config; 3] {
    let base = |name: &str, subjects, bytes: u64, max_age| Config {
        name: name.to_owned(),
        subjects,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        max_age,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: usize::from(limits.replicas),
        duplicate_window: DUPLICATES,
        allow_direct: true,
        // Whoever may publish can have the server send its answer, which holds a number, to any subject: also to those that
        // would delete up to a number.
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    };
    let of = |stream: StreamKind, bytes, max_age| {
        let subjects = vec![format!("sympozium.{}.>", stream.token())];
        base(stream.name(), subjects, bytes, max_age)
    };
    let work = Config {
        discard: DiscardPolicy::New,
        ..of(StreamKind::Work, limits.work_bytes, 7 * DAY)
    };
    let watch = of(StreamKind::Stream, limits.watch_bytes, Duration::from_hours(1));
    let mut subjects = vec![format!("{DEAD}.>")];
    for stream in StreamKind::ALL {
        subjects.extend(NOTICES.map(|notice| format!("{notice}.{}.>", stream.name())));
    }
    [work, watch, base(DEAD, subjects, limits.dead_bytes, 30 * DAY)]
}

/// What a stream should become, when something that we decide is not as it should be. What an administrator has set
/// besides stays.
pub(super) fn changed(found: &Config, wanted: &Config) -> Option<Config> {
    let updated = Config {
        subjects: wanted.subjects.clone(),
        max_bytes: wanted.max_bytes,
        max_age: wanted.max_age,
        discard: wanted.discard,
        num_replicas: wanted.num_replicas,
        duplicate_window: wanted.duplicate_window,
        allow_direct: wanted.allow_direct,
        deny_delete: wanted.deny_delete,
        deny_purge: wanted.deny_purge,
        ..found.clone()
    };
    (updated != *found).then_some(updated)
}

impl Link {
    /// Makes a stream, or brings it up to date.
    pub(super) async fn ensure_stream(&self, wanted: &Config) -> Result<(), BusError> {
        const STEP: &str = "prepare the streams";
        let info = format!("STREAM.INFO.{}", wanted.name);
        let (verb, config) = match self.api::<Info>(STEP, &info, &json!({})).await? {
            Ok(found) => match changed(&found.config, wanted) {
                Some(updated) => ("UPDATE", updated),
                None => return Ok(()),
            },
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => ("CREATE", wanted.clone()),
            Err(error) => return Err(answer::refusal(STEP, &error)),
        };
        let call = format!("STREAM.{verb}.{}", wanted.name);
        let made = self.api::<Info>(STEP, &call, &config).await?;
        made.map(|_| ()).map_err(|error| answer::refusal(STEP, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_those_of_the_contract() {
        let rows: Vec<String> = all(&StreamLimits::default())
            .into_iter()
            .map(|config| {
                format!(
                    "{} {:?} {:?} {:?} {:?} age {:?} duplicates {:?} bytes {}",
                    config.name,
                    config.subjects,
                    config.retention,
                    config.storage,
                    config.discard,
                    config.max_age,
                    config.duplicate_window,
                    config.max_bytes
                )
            })
            .collect();
        insta::assert_yaml_snapshot!(rows);
    }

    #[test]
    fn a_stream_is_changed_only_in_what_we_decide() {
        let [work, ..] = all(&StreamLimits::default());
        let described = Config {
            description: Some("ours".to_owned()),
            ..work.clone()
        };
        assert_eq!(changed(&described, &work), None);
        let old = Config {
            max_bytes: 1,
            ..described.clone()
        };
        assert_eq!(changed(&old, &work), Some(described));
    }
}
