//! The executor of a skill's commands: requests come as files, one is executed at a time, results go back as files.
//!
//! The body of the `toolbox` program, and of each executor of a local run. It decides every request again, by rules that
//! it was started with; what the agent has decided counts for nothing here. Its commands get an environment made from
//! nothing, and when one ends, whatever it left behind is killed.
//!
//! A command is executed at most once: a request that comes again is answered with the recorded result. With a state
//! folder that also holds when the executor itself is killed and started again; a command that was under way then counts
//! as executed, with a result that says so.
//!
//! A command that needs a way out gets it by its environment: the gateway's proxy with the token of the moment, which is
//! taken out of what the command says.
//!
//! Entry types: [`Toolbox`] (executor), [`ExecClient`] (who asks), [`WithToken`] (the first process of a container whose
//! command is not ours), [`install`] (puts the program where it is needed).

mod argv;
mod client;
mod command;
mod gate;
mod install;
mod process;
mod proxy;
mod record;
mod redact;
mod results;
mod serve;
mod spawner;
#[cfg_attr(not(target_os = "linux"), path = "no_strays.rs")]
mod strays;
mod with_token;

pub use crate::run::ToolboxConfig;
pub use argv::{ArgvError, argv};
pub use client::{ExecClient, ExecError};
pub use command::MAX_OUTPUT;
pub use install::{InstallError, install};
pub use process::{keep_memory_private, prepare_process};
pub use proxy::ProxyError;
pub use serve::{Toolbox, ToolboxError};
pub use spawner::SpawnerError;
pub use strays::end_strays;
pub use with_token::{WithToken, WithTokenError};
