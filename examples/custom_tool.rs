//! A tool of your own: typed arguments, errors that the model can act on, and an agent that calls it.
//!
//! The model is played from a list here, so that the program needs no key; everything else is real. The first call of
//! the model has a wrong argument: it reads the error and corrects itself.
//!
//! Run it: `cargo run -p sympozium-examples --example custom_tool`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use sympozium_core::chat::{ChatEvent, FinishReason, Message};
use sympozium_core::ids::{CallId, ModelName, ProviderName, ToolName};
use sympozium_core::testing::{FakeAnswer, FakeProvider};
use sympozium_core::tool::{Tool, ToolContext, ToolOutput, ToolSet};
use sympozium_llm::agent::{Agent, AgentEvent};
use tokio_util::sync::CancellationToken;

/// Says when the sun is highest, from a longitude.
struct SolarNoon;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct SolarNoonArgs {
    /// Degrees east of Greenwich, from -180 to 180.
    longitude: f64,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is no longitude; give degrees from -180 to 180")]
struct NoLongitude(f64);

impl Tool for SolarNoon {
    const NAME: &'static str = "solar_noon";
    const DESCRIPTION: &'static str = "Says at which time (UTC) the sun is highest at a longitude.";
    type Args = SolarNoonArgs;
    type Error = NoLongitude;

    async fn call(&self, _: &ToolContext, args: SolarNoonArgs) -> Result<ToolOutput, NoLongitude> {
        if !(-180.0..=180.0).contains(&args.longitude) {
            return Err(NoLongitude(args.longitude));
        }
        // The sun moves 15 degrees in an hour. Adding whole minutes as text keeps the arithmetic exact.
        let minutes = (720.0 - args.longitude * 4.0).round();
        let (hour, minute) = ((minutes / 60.0).floor(), minutes.rem_euclid(60.0));
        Ok(ToolOutput::text(format!("{hour:02}:{minute:02} UTC")))
    }
}

/// What the model says: two calls of the tool, then the answer.
fn script() -> anyhow::Result<Vec<FakeAnswer>> {
    let mut answers = Vec::new();
    for (id, arguments) in [
        ("call_1", r#"{"longitude": 1340}"#),
        ("call_2", r#"{"longitude": 13.4}"#),
    ] {
        let start = ChatEvent::ToolCallStart {
            index: 0,
            id: CallId::new(id)?,
            name: ToolName::new(SolarNoon::NAME)?,
        };
        let arguments = ChatEvent::ToolCallDelta {
            index: 0,
            arguments: arguments.to_owned(),
        };
        let done = ChatEvent::Done {
            finish: FinishReason::ToolCalls,
            usage: None,
            model: None,
        };
        answers.push(FakeAnswer::Events([start, arguments, done].map(Ok).into()));
    }
    answers.push(FakeAnswer::text(
        "In Berlin the sun is highest at 11:06 UTC.",
        90,
        12,
    ));
    Ok(answers)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let model = FakeProvider::new(ProviderName::new("played")?, script()?);
    let mut tools = ToolSet::default();
    tools.add(SolarNoon)?;

    let agent = Agent::with_provider(Arc::new(model), ModelName::new("any")?)
        .tools(tools)
        .observer(Arc::new(|event: AgentEvent<'_>| {
            if let AgentEvent::ToolFinished { call, result, .. } = event {
                println!("{} {} -> {}", call.name, call.arguments, result.content);
            }
        }));
    let task = vec![Message::user("When is the sun highest in Berlin?")];
    let finished = agent.work(task, &CancellationToken::new()).await;
    println!("{}", finished.outcome.answer);
    Ok(())
}
