//! The flags of `sympozium run`.

use crate::cli::choice::ModelArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use sympozium_k8s::crd::v1alpha1::GoDuration;

/// Flags of `run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// What the agent is to do
    #[arg(value_name = "TASK")]
    pub(super) task: Option<String>,
    /// Files as for `kubectl apply`: AgentRun, SympoziumInstance, SympoziumPolicy, SkillPack, Secret; a folder, or `-`
    /// for standard input. Several AgentRuns run one after the other
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The instance that a TASK belongs to: NAME or NAMESPACE/NAME [env: INSTANCE_NAME] [default: local]
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// Skill: a SkillPack, a folder of Markdown files, or one such file; may be repeated
    #[arg(long = "skill", value_name = "FILE|DIR")]
    pub(super) skills: Vec<PathBuf>,
    /// Folder to work in; with `:ro`, its files can only be read [default: an empty one that is removed at the end]
    #[arg(long, value_name = "DIR[:ro]")]
    pub(super) workspace: Option<String>,
    /// Conversation to continue: runs of one instance with one key share a history
    #[arg(long, value_name = "KEY")]
    pub(super) session: Option<String>,
    /// Let the agent remember things from run to run [env: MEMORY_ENABLED]
    #[arg(long)]
    pub(super) memory: bool,
    /// How long a run may take, such as 90s or 10m, from 1s to 24h [default: 10m]
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<GoDuration>,
    /// How agent and commands are kept apart from this machine
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(super) sandbox: Isolation,
    /// The most that a run may use of this machine, such as memory=2Gi or processes=100; may be repeated
    #[arg(long = "limit", value_name = "NAME=AMOUNT")]
    pub(super) limits: Vec<String>,
    /// What becomes of tool calls for which a policy wants a person to agree
    #[arg(long, value_enum, default_value_t, value_name = "ANSWER")]
    pub(super) approve: Approve,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

/// How agent and commands are kept apart from the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Isolation {
    /// As `full`; a run that can't have it is refused
    #[default]
    Auto,
    /// In sandboxes without a network, by namespaces, Landlock and seccomp. Linux only
    Full,
    /// Not at all: they can do whatever you can do, and every run says so first
    None,
}

/// Who answers what policies ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Approve {
    /// The person at the terminal; denied where there is none
    #[default]
    Ask,
    /// Deny
    Never,
    /// Agree
    Always,
}

/// How a run is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: the answer on standard output, everything about it on standard error
    #[default]
    Text,
    /// One JSON document at the end
    Json,
    /// One JSON object per event, as it happens
    Jsonl,
}
