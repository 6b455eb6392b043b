//! `SympoziumSchedule`: runs that start by the clock.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sympozium_core::channel::ChannelKind;

const fn include_memory() -> bool {
    true
}

/// Runs of an instance that start by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "sympozium.ai",
    version = "v1alpha1",
    kind = "SympoziumSchedule",
    plural = "sympoziumschedules",
    singular = "sympoziumschedule",
    namespaced,
    status = "SympoziumScheduleStatus",
    derive = "PartialEq",
    shortname = "sched",
    category = "sympozium",
    doc = "Runs of an instance that start by the clock.",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.instanceRef"}"#,
    printcolumn = r#"{"name":"Schedule","type":"string","jsonPath":".spec.schedule"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Last Run","type":"date","jsonPath":".status.lastRunTime"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Time Zone","type":"string","jsonPath":".spec.timeZone","priority":1}"#,
    printcolumn = r#"{"name":"Next Run","type":"string","jsonPath":".status.nextRunTime","priority":1}"#,
    printcolumn = r#"{"name":"Runs","type":"integer","jsonPath":".status.totalRuns","priority":1}"#
)]
pub struct SympoziumScheduleSpec {
    /// SympoziumInstance of the same namespace whose runs these are.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub instance_ref: String,
    /// When: five fields (minute, hour, day of month, month, day of week) with ranges, steps and names, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[schemars(
        length(min = 1, max = 128),
        regex(
            pattern = "^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[0-9A-Za-z*/,?#-]+( +[0-9A-Za-z*/,?#-]+){4})$"
        )
    )]
    pub schedule: String,
    /// What the agent is to do. At most 32,768 characters.
    #[schemars(length(min = 1, max = 32768))]
    pub task: String,
    /// What the schedule is for. Only a label of its runs.
    #[serde(default, rename = "type")]
    pub kind: ScheduleType,
    /// Whether it pauses.
    #[serde(default)]
    pub suspend: bool,
    /// What happens when the time comes and the last run is still under way.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// Whether its runs read and write the instance's memory.
    #[serde(default = "include_memory")]
    pub include_memory: bool,
    /// Time zone of `schedule`, such as `Europe/Berlin`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// How late a run may start, in seconds; later ones are skipped. Absent = however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 604_800))]
    pub starting_deadline_seconds: Option<i64>,
    /// How many of its ended runs are kept. Default: the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub history_limit: Option<u32>,
    /// Chat that gets the answers. Absent = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<DeliverTo>,
}

/// What a schedule is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleType {
    /// Looks after things, over and over.
    Heartbeat,
    /// Does one thing at its time.
    #[default]
    Scheduled,
    /// Goes through many things.
    Sweep,
}

/// What happens when the time comes and the last run is still under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The new run is skipped.
    #[default]
    Forbid,
    /// Both run.
    Allow,
    /// The old run is cancelled.
    Replace,
}

/// Chat that gets the answers of scheduled runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliverTo {
    /// Platform; the instance must have it.
    pub channel: ChannelKind,
    /// Chat. Default: the channel's `defaultChat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub chat_id: Option<String>,
}

/// State of a schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SympoziumScheduleStatus {
    /// Where the schedule stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SchedulePhase>,
    /// When its last run was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_time: Option<Time>,
    /// When its next run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Time>,
    /// Name of its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_name: Option<String>,
    /// Runs that there ever were.
    #[serde(default)]
    pub total_runs: i64,
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchedulePhase {
    /// It waits for its next time.
    Active,
    /// It pauses.
    Suspended,
    /// It can't work; the condition `Ready` says why.
    Error,
}
