//! `sympozium sessions`: stored conversations.

mod find;
mod render;

use super::config::Config;
use super::failure::{Exit, Failure};
use super::output::{self, Format};
use super::{block_on, stores};
use clap::{Args, Subcommand};
use find::find;
use serde::Serialize;
use sympozium_core::ids::SessionKey;
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{MAX_PAGE, Session, SessionFilter, SessionStore, Turn};

/// `sessions …`
#[derive(Debug, Args)]
pub(super) struct SessionsArgs {
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    /// List sessions, most recently used first
    List(ListArgs),
    /// Print what was said in a session
    Show(ShowArgs),
    /// Delete sessions and all that was said in them
    Delete(DeleteArgs),
}

/// Flags of `sessions list`.
#[derive(Debug, Args)]
struct ListArgs {
    /// Only those of this instance: NAME or NAMESPACE/NAME [env: INSTANCE_NAME]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Only those in which some message contains this text, ignoring case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Which session.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The session's key, or its id
    session: String,
    /// The instance that the key belongs to: NAME or NAMESPACE/NAME [env: INSTANCE_NAME] [default: local]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Which sessions.
#[derive(Debug, Args)]
struct DeleteArgs {
    /// Keys or ids of the sessions
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<String>,
    /// The instance that the keys belong to: NAME or NAMESPACE/NAME [env: INSTANCE_NAME] [default: local]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

/// A session with all that was said.
#[derive(Debug, Serialize)]
struct Conversation {
    #[serde(flatten)]
    session: Session,
    /// In place of their number.
    #[serde(rename = "transcript")]
    turns: Vec<Turn>,
}

/// Does what the flags say.
pub(super) fn command(args: SessionsArgs, config: &Config) -> Result<Exit, Failure> {
    block_on(async {
        let store = stores::open(config).await?;
        let done = match args.command {
            SessionsCommand::List(args) => list(&store, args, config).await,
            SessionsCommand::Show(args) => show(&store, args, config).await,
            SessionsCommand::Delete(args) => delete(&store, args, config).await,
        };
        store.close().await;
        done
    })
}

async fn list(store: &SqlStore, args: ListArgs, config: &Config) -> Result<Exit, Failure> {
    let named = args.instance.is_some() || config.defaults.instance.is_some();
    let instance = named
        .then(|| config.instance(args.instance.as_deref()))
        .transpose()?;
    let filter = SessionFilter {
        instance,
        key: None,
        text: args.search,
    };
    let mut sessions: Vec<Session> = Vec::new();
    let mut cursor = None;
    loop {
        let missing = args
            .limit
            .saturating_sub(u32::try_from(sessions.len()).unwrap_or(u32::MAX));
        if missing == 0 {
            break;
        }
        let page = store
            .list(&filter, cursor.as_deref(), missing.min(MAX_PAGE))
            .await?;
        sessions.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match args.output {
        Format::Text => output::print(&render::list(&sessions)),
        Format::Json => output::print_json(&sessions),
    }
}

async fn show(store: &SqlStore, args: ShowArgs, config: &Config) -> Result<Exit, Failure> {
    let instance = config.instance(args.instance.as_deref())?;
    let session = find(store, &instance, &args.session).await?;
    let mut turns = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.transcript(session.id, cursor.as_deref(), MAX_PAGE).await?;
        turns.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match args.output {
        Format::Text => output::print(&render::conversation(&session, &turns)),
        Format::Json => output::print_json(&Conversation { session, turns }),
    }
}

/// Looks all of them up before it deletes the first, so that a misspelt name deletes nothing.
async fn delete(store: &SqlStore, args: DeleteArgs, config: &Config) -> Result<Exit, Failure> {
    let instance = config.instance(args.instance.as_deref())?;
    let mut sessions = Vec::new();
    for name in &args.sessions {
        sessions.push(find(store, &instance, name).await?);
    }
    for session in sessions {
        store.delete(session.id).await?;
        output::print(&format!(
            "deleted session {} of {}\n",
            output::one_line(session.key.as_str(), 200),
            session.instance
        ))?;
    }
    Ok(Exit::Success)
}

/// A key of a flag.
pub(super) fn session_key(text: &str) -> Result<SessionKey, Failure> {
    SessionKey::new(text).map_err(|error| Failure::input(format!("{error}.")))
}
