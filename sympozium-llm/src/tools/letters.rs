//! `send_channel_message` and `schedule_task`: requests to whoever serves the run. The model reads what the receipt says,
//! never that something was done which only was asked for.

use super::surroundings::{Delivery, Letterbox, Letters, Trouble};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::channel::ChannelKind;
use sympozium_core::ids::derived_id;
use sympozium_core::run::ReplyTo;
use sympozium_core::tool::{Tool, ToolContext, ToolOutput};

/// How long a receipt is waited for. Chat platforms answer within seconds; after that the request is still under way.
const RECEIPT_WAIT: Duration = Duration::from_secs(30);

/// Sends messages to chats.
#[derive(Clone)]
pub struct SendChannelMessage {
    letters: Arc<dyn Letters>,
    reply_to: Option<ReplyTo>,
}

impl SendChannelMessage {
    /// Sends through these letters; without a `chatId`, to the chat that the task came from.
    pub fn new(letters: Arc<dyn Letters>, reply_to: Option<ReplyTo>) -> Self {
        Self { letters, reply_to }
    }
}

impl fmt::Debug for SendChannelMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendChannelMessage")
            .field("reply_to", &self.reply_to)
            .finish_non_exhaustive()
    }
}

/// Arguments of `send_channel_message`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendChannelMessageArgs {
    /// The platform.
    channel: ChannelKind,
    /// What to say.
    text: String,
    /// The chat. Default: the one that the task came from, else the channel's default chat.
    chat_id: Option<String>,
}

impl Tool for SendChannelMessage {
    const NAME: &'static str = "send_channel_message";
    const DESCRIPTION: &'static str = "Sends a message to a chat and returns what became of it.";
    type Args = SendChannelMessageArgs;
    type Error = Trouble;

    async fn call(&self, ctx: &ToolContext, args: SendChannelMessageArgs) -> Result<ToolOutput, Trouble> {
        if args.text.trim().is_empty() {
            return Err(Trouble("The text is empty.".to_owned()));
        }
        let origin = self.reply_to.as_ref().filter(|to| to.channel == args.channel);
        let chat = args.chat_id.or_else(|| origin.map(|to| to.chat_id.clone()));
        let mut letter = json!({"channel": args.channel, "text": args.text});
        if let (Some(map), Some(chat)) = (letter.as_object_mut(), chat) {
            map.insert("chatId".to_owned(), chat.into());
        }
        post(self.letters.as_ref(), Letterbox::Messages, letter, ctx).await
    }
}

/// Makes and changes schedules.
#[derive(Clone)]
pub struct ScheduleTask(pub Arc<dyn Letters>);

impl fmt::Debug for ScheduleTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScheduleTask")
    }
}

/// What to do with a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleAction {
    /// Make it.
    Create,
    /// Change it.
    Update,
    /// Let it rest.
    Suspend,
    /// Let it go on.
    Resume,
    /// Remove it.
    Delete,
}

/// Arguments of `schedule_task`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ScheduleTaskArgs {
    /// The schedule's name: lower-case letters, digits and dashes.
    name: String,
    /// What to do.
    action: ScheduleAction,
    /// When: five cron fields or a word like @daily. Needed for create.
    schedule: Option<String>,
    /// What is to be done then. Needed for create.
    task: Option<String>,
}

impl Tool for ScheduleTask {
    const NAME: &'static str = "schedule_task";
    const DESCRIPTION: &'static str =
        "Creates, changes, suspends, resumes or deletes a schedule that starts a task again and again.";
    type Args = ScheduleTaskArgs;
    type Error = Trouble;

    async fn call(&self, ctx: &ToolContext, args: ScheduleTaskArgs) -> Result<ToolOutput, Trouble> {
        if let Some(missing) = missing(&args) {
            return Err(Trouble(missing.to_owned()));
        }
        let mut letter = json!({"name": args.name, "action": args.action});
        if let Some(map) = letter.as_object_mut() {
            map.extend(
                args.schedule
                    .map(|schedule| ("schedule".to_owned(), Value::from(schedule))),
            );
            map.extend(args.task.map(|task| ("task".to_owned(), Value::from(task))));
        }
        post(self.0.as_ref(), Letterbox::Schedules, letter, ctx).await
    }
}

fn missing(args: &ScheduleTaskArgs) -> Option<&'static str> {
    let (schedule, task) = (args.schedule.is_some(), args.task.is_some());
    match args.action {
        ScheduleAction::Create if !schedule || !task => {
            Some("To create a schedule, give both schedule and task.")
        }
        ScheduleAction::Update if !schedule && !task => {
            Some("To update a schedule, give schedule, task, or both.")
        }
        ScheduleAction::Create
        | ScheduleAction::Update
        | ScheduleAction::Suspend
        | ScheduleAction::Resume
        | ScheduleAction::Delete => None,
    }
}

async fn post(
    letters: &dyn Letters,
    to: Letterbox,
    letter: Value,
    ctx: &ToolContext,
) -> Result<ToolOutput, Trouble> {
    let id = derived_id(ctx.run, &ctx.step, ctx.index);
    let Delivery { ok, detail } = letters.post(to, id, letter, (RECEIPT_WAIT, &ctx.cancel)).await?;
    Ok(if ok {
        ToolOutput::text(detail)
    } else {
        ToolOutput::error(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::Mutex;
    use sympozium_core::ids::{CallId, RunUid, StepId};
    use tokio_util::sync::CancellationToken;
    use uuid::Uuid;

    /// Refuses everything, as a run without a cluster does, and keeps what it was given.
    #[derive(Default)]
    struct Refusing(Mutex<Vec<(Letterbox, Uuid, Value)>>);

    #[async_trait]
    impl Letters for Refusing {
        async fn post(
            &self,
            to: Letterbox,
            id: Uuid,
            letter: Value,
            _: (Duration, &CancellationToken),
        ) -> Result<Delivery, Trouble> {
            self.0.lock().unwrap().push((to, id, letter));
            Ok(Delivery {
                ok: false,
                detail: "Refused: there are no channels here.".to_owned(),
            })
        }
    }

    fn context() -> ToolContext {
        ToolContext {
            run: RunUid(Uuid::from_u128(1)),
            step: StepId::new("turn-1").unwrap(),
            index: 0,
            call: CallId::new("c").unwrap(),
            cancel: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_message_goes_to_the_asking_chat_and_the_receipt_is_told() {
        let letters = Arc::new(Refusing::default());
        let reply_to = Some(ReplyTo {
            channel: ChannelKind::Slack,
            chat_id: "C1".to_owned(),
        });
        let tool = SendChannelMessage::new(letters.clone(), reply_to);
        for (arguments, letter) in [
            (
                json!({"channel": "slack", "text": "hi"}),
                json!({"channel": "slack", "text": "hi", "chatId": "C1"}),
            ),
            (
                json!({"channel": "slack", "text": "hi", "chatId": "C2"}),
                json!({"channel": "slack", "text": "hi", "chatId": "C2"}),
            ),
            (
                json!({"channel": "discord", "text": "hi"}),
                json!({"channel": "discord", "text": "hi"}),
            ),
        ] {
            let args = serde_json::from_value(arguments).unwrap();
            let output = tool.call(&context(), args).await.unwrap();
            assert_eq!(output, ToolOutput::error("Refused: there are no channels here."));
            let id = derived_id(context().run, &context().step, 0);
            assert_eq!(
                letters.0.lock().unwrap().pop(),
                Some((Letterbox::Messages, id, letter))
            );
        }
    }

    #[tokio::test]
    async fn an_incomplete_schedule_is_refused_before_it_is_sent() {
        let letters = Arc::new(Refusing::default());
        let tool = ScheduleTask(letters.clone());
        let args = |value| serde_json::from_value(value).unwrap();
        for bad in [
            json!({"name": "n", "action": "create", "task": "t"}),
            json!({"name": "n", "action": "update"}),
        ] {
            assert!(tool.call(&context(), args(bad)).await.is_err());
        }
        assert!(letters.0.lock().unwrap().is_empty());
        tool.call(&context(), args(json!({"name": "n", "action": "delete"})))
            .await
            .unwrap();
        assert_eq!(letters.0.lock().unwrap().len(), 1);
    }
}
