//! The reader of a run's pod: made by the operator, used by the bridge. Pure.

use super::{Subscription, Topic};
use crate::ids::{InstanceRef, RunUid};
use std::time::Duration;

/// How long a delivery may take until it comes again: writing a file takes no time, unless there is no room.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often one is delivered: a run whose disk is full gets it when there is room again.
const MAX_DELIVER: u32 = 100;

/// What reaches a run: follow-ups, people's answers, and receipts. The reader's name is the run's UID.
///
/// ```
/// # use sympozium_core::{bus::{run_reader, Topic}, ids::{InstanceName, InstanceRef, Namespace, RunUid}};
/// let instance = InstanceRef { namespace: Namespace::new("team").unwrap(), name: InstanceName::new("sre").unwrap() };
/// let run = RunUid::random();
/// let reader = run_reader(&instance, run);
/// assert_eq!((reader.reader, reader.key), (run.to_string(), Some(run.to_string())));
/// assert!(reader.topics.contains(&Topic::Receipt));
/// ```
pub fn run_reader(instance: &InstanceRef, run: RunUid) -> Subscription {
    Subscription {
        reader: run.to_string(),
        topics: vec![Topic::AgentFollowup, Topic::ToolApprovalResponse, Topic::Receipt],
        instance: Some(instance.clone()),
        key: Some(run.to_string()),
        ack_wait: ACK_WAIT,
        max_deliver: MAX_DELIVER,
    }
}
