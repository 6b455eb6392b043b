//! The other side of a runner: a gateway whose model says what is written down, and who notes when it was asked.

use crate::wire::{LAST_CHUNK, Request, STREAMING, Server, chunk, document};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::gateway::{GatewayEvent, HistorySize, RunInput};
use sympozium_core::ids::{CallId, PackName, ToolName};
use sympozium_core::run::RunPlan;

/// How often it is looked whether the one who should ask is still there.
const LOOK: Duration = Duration::from_millis(50);

/// What the model says in one turn.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// That it is done.
    Done,
    /// That it wants a tool.
    Calls(&'static str, Value),
}

/// A request for a model turn.
#[derive(Debug)]
pub(crate) struct Asked {
    /// When all of it had come.
    pub(crate) at: Instant,
    /// When the answer was ready to be sent.
    pub(crate) answered: Instant,
    pub(crate) head: usize,
    pub(crate) body: Vec<u8>,
}

/// The gateway of one run; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeGateway {
    _server: Server,
}

impl FakeGateway {
    /// Listens there, and tells `heard` of each turn. At the first one it takes a `look` before it answers: whoever asks
    /// is there as long as it waits.
    pub(crate) fn start(
        socket: &Path,
        plan: &RunPlan,
        says: &[Says],
        heard: Sender<Asked>,
        look: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<Self> {
        let input = serde_json::to_vec(&run_input(plan)?).context("write a run's input as JSON")?;
        let input = document(&input);
        let done = rendered(says.len(), &Says::Done)?;
        let says = says.iter().enumerate().map(|(turn, says)| rendered(turn, says));
        let mut says = says.collect::<anyhow::Result<VecDeque<_>>>()?;
        let mut look = Some(look);
        let answer = move |request: Request| {
            if !request.head.starts_with("POST /v1/chat ") {
                return input.clone();
            }
            if let Some(look) = look.take() {
                look();
            }
            let answer = says.pop_front().unwrap_or_else(|| done.clone());
            // Nobody may be interested any more.
            let _ = heard.send(Asked {
                at: request.at,
                head: request.head.len(),
                body: request.body,
                answered: Instant::now(),
            });
            answer
        };
        Ok(Self {
            _server: Server::unix(socket, answer)?,
        })
    }
}

/// The next turn that is asked for. `alive` says why there will be none.
pub(crate) fn next(
    heard: &Receiver<Asked>,
    mut alive: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Asked> {
    let until = Instant::now() + crate::process::DEADLINE;
    loop {
        match heard.recv_timeout(LOOK) {
            Ok(asked) => return Ok(asked),
            Err(RecvTimeoutError::Disconnected) => bail!("the gateway is gone"),
            Err(RecvTimeoutError::Timeout) => alive()?,
        }
        if Instant::now() > until {
            bail!("no model turn was asked for in time");
        }
    }
}

/// Times between an answer and the next request, in milliseconds.
pub(crate) fn gaps(turns: &[Asked]) -> Vec<f64> {
    let pairs = turns.iter().zip(turns.iter().skip(1));
    let gaps = pairs.map(|(before, after)| after.at.saturating_duration_since(before.answered));
    gaps.map(crate::process::millis).collect()
}

fn run_input(plan: &RunPlan) -> anyhow::Result<RunInput> {
    let mut targets = Vec::new();
    if plan.sandbox.is_some() {
        targets.push(PackName::new("sandbox").context("the name of the sandbox")?);
    }
    Ok(RunInput {
        run: plan.run.clone(),
        instance: plan.instance.clone(),
        task: plan.task.clone(),
        system_prompt: None,
        history: HistorySize::default(),
        gate: plan.tool_gate(),
        provider: plan.model.provider.clone(),
        model: plan.model.model.clone(),
        thinking: plan.model.thinking,
        context_window: None,
        remaining_ms: 60_000,
        max_turns: plan.limits.max_turns,
        targets,
        typed_tools: Vec::new(),
        memory_max_bytes: None,
        reply_to: None,
    })
}

/// An answer as it goes over the wire.
fn rendered(turn: usize, says: &Says) -> anyhow::Result<Vec<u8>> {
    let usage = Some(Usage {
        input_tokens: 10,
        output_tokens: 5,
        ..Usage::default()
    });
    let (mut events, finish) = match says {
        Says::Done => {
            let text = "Done.".to_owned();
            (vec![ChatEvent::TextDelta { index: 0, text }], FinishReason::Stop)
        }
        Says::Calls(tool, arguments) => (
            vec![
                ChatEvent::ToolCallStart {
                    index: 0,
                    id: CallId::new(format!("call-{turn}")).context("the id of a call")?,
                    name: ToolName::new(*tool).context("the name of a tool")?,
                },
                ChatEvent::ToolCallDelta {
                    index: 0,
                    arguments: arguments.to_string(),
                },
            ],
            FinishReason::ToolCalls,
        ),
    };
    events.push(ChatEvent::Done {
        finish,
        usage,
        model: None,
    });
    let mut text = STREAMING.to_owned();
    for event in events {
        let event = serde_json::to_value(GatewayEvent::Chat(event)).context("write an event as JSON")?;
        let data = event.get("data").unwrap_or(&Value::Null);
        text.push_str(&chunk(&format!("event: chat\ndata: {data}\n\n")));
    }
    text.push_str(LAST_CHUNK);
    Ok(text.into_bytes())
}

/// That many turns with a file tool each, in turn: read a file, list the folder, write a file.
pub(crate) fn file_turns(count: usize) -> Vec<Says> {
    let one = |turn| match turn % 3 {
        0 => Says::Calls("read_file", json!({"path": "notes.txt"})),
        1 => Says::Calls("list_directory", json!({"path": "."})),
        _ => Says::Calls(
            "write_file",
            json!({"path": "out.txt", "content": "What was found: nothing new.\n"}),
        ),
    };
    (0..count).map(one).collect()
}

/// That many turns with a command that does nothing. No two are the same: an agent that repeats itself is stopped.
pub(crate) fn command_turns(count: usize) -> Vec<Says> {
    let one = |turn| Says::Calls("execute_command", json!({"command": format!("true {turn}")}));
    (0..count).map(one).collect()
}
