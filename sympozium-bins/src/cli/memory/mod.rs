//! `sympozium memory`: what an instance remembers from run to run.

mod edit;

use super::config::Config;
use super::failure::{Exit, Failure};
use super::{block_on, output, stores};
use clap::{Args, Subcommand};
use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use sympozium_core::ids::InstanceRef;
use sympozium_core::memory::{Memory, MemoryStore};
use sympozium_core::store::StoreError;

/// `memory …`
#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    #[command(subcommand)]
    command: MemoryCommand,
}

#[derive(Debug, Subcommand)]
enum MemoryCommand {
    /// Print it
    Show(InstanceArgs),
    /// Change it in an editor (VISUAL, EDITOR, else vi), or replace it by a file's text
    Edit(EditArgs),
    /// Remove it
    Clear(InstanceArgs),
}

/// Whose memory.
#[derive(Debug, Args)]
struct InstanceArgs {
    /// The instance: NAME or NAMESPACE/NAME [env: INSTANCE_NAME] [default: local]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

/// Flags of `memory edit`.
#[derive(Debug, Args)]
struct EditArgs {
    #[command(flatten)]
    whose: InstanceArgs,
    /// Take the text of this file instead of opening an editor; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// Does what the flags say.
pub(super) fn command(args: MemoryArgs, config: &Config) -> Result<Exit, Failure> {
    let memories = stores::memories(config)?;
    block_on(async {
        match args.command {
            MemoryCommand::Show(args) => show(&memories, &config.instance(args.instance.as_deref())?).await,
            MemoryCommand::Edit(args) => {
                let instance = config.instance(args.whose.instance.as_deref())?;
                edit(&memories, &instance, &args, config.editor.as_deref()).await
            }
            MemoryCommand::Clear(args) => {
                let instance = config.instance(args.instance.as_deref())?;
                memories.clear(&instance).await?;
                output::print(&format!("cleared the memory of {instance}\n"))
            }
        }
    })
}

async fn show(memories: &dyn MemoryStore, instance: &InstanceRef) -> Result<Exit, Failure> {
    let Some(memory) = memories.load(instance).await? else {
        output::note(&format!("{instance} remembers nothing."));
        return Ok(Exit::Success);
    };
    if stdout().is_terminal() {
        output::print(&output::plain(&memory.text))
    } else {
        output::print(&memory.text)
    }
}

async fn edit(
    memories: &dyn MemoryStore,
    instance: &InstanceRef,
    args: &EditArgs,
    editor: Option<&str>,
) -> Result<Exit, Failure> {
    let before = memories.load(instance).await?.unwrap_or(Memory {
        text: String::new(),
        version: String::new(),
    });
    let text = match &args.from {
        Some(path) => edit::text_from(path)?,
        None => edit::in_editor(&before.text, editor)?,
    };
    if text == before.text {
        return output::print(&format!("the memory of {instance} stays as it is\n"));
    }
    let changed = Memory {
        text,
        version: before.version,
    };
    match memories.save(instance, changed.clone()).await {
        Ok(_) => output::print(&format!("saved the memory of {instance}\n")),
        // What a person wrote is kept, whatever stands in the way of saving it.
        Err(error) => Err(kept(&error, &changed.text, args.from.is_some())),
    }
}

fn kept(error: &StoreError, text: &str, is_in_file: bool) -> Failure {
    let sentence = sympozium_core::error::chain(error);
    if is_in_file {
        return Failure::failed(format!("{sentence}."));
    }
    match edit::keep(text) {
        Ok(path) => Failure::failed(format!("{sentence}; your text is in {}.", path.display())),
        Err(why) => Failure::failed(format!("{sentence}; your text could not be kept either: {why}.")),
    }
}
