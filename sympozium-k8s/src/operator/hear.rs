//! What runs tell on the event bus: results, and questions that wait for a person. Entry: [`hear`].
//!
//! A result is kept until the run's end is written, and acknowledged then: if the operator dies in between, it comes
//! again. What is malformed, or comes from somebody else than it says, is counted, ended and changes nothing.

use super::controllers::World;
use super::run::{Found, Origin};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::bus::{BusError, Delivery, EventBus, Source, Subscription, Topic};
use sympozium_core::error::chain;
use sympozium_core::ids::RunUid;
use sympozium_core::run::{AgentResult, ResultStatus};
use tokio_util::sync::CancellationToken;

/// The reader's name on the bus.
const READER: &str = "sympozium-operator-runs";
/// How long a result may wait for its run's end to be written.
const ACK_WAIT: Duration = Duration::from_mins(1);
/// How often a message is delivered before it goes to the dead letters.
const MAX_DELIVER: u32 = 20;
/// How long to wait for the cache to show the run of a message.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(2);
/// How long to wait before subscribing anew.
const RETRY: Duration = Duration::from_secs(2);

/// Listens until told to stop.
pub(super) async fn hear(world: Arc<World>, bus: Arc<dyn EventBus>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            heard = listen(&world, bus.as_ref()) => {
                let error = heard.err().map(|error| chain(&error)).unwrap_or_default();
                tracing::info!(error, "the event bus is not heard; trying again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

async fn listen(world: &World, bus: &dyn EventBus) -> Result<(), BusError> {
    let mut deliveries = bus
        .subscribe(Subscription {
            reader: READER.to_owned(),
            topics: vec![
                Topic::AgentRunCompleted,
                Topic::AgentRunFailed,
                Topic::ToolApprovalRequest,
                Topic::ToolApprovalResponse,
            ],
            key: None,
            ack_wait: ACK_WAIT,
            max_deliver: MAX_DELIVER,
        })
        .await?;
    while let Some(delivery) = deliveries.next().await {
        take(world, delivery?).await?;
    }
    Ok(())
}

async fn take(world: &World, delivery: Delivery) -> Result<(), BusError> {
    let envelope = &delivery.envelope;
    let Ok(run) = envelope.subject.key.parse::<RunUid>() else {
        return malformed(delivery, "its key is no run's UID").await;
    };
    let from_run = match (&envelope.source, envelope.topic()) {
        (Source::Run(namespace, uid), _) => *uid == run && *namespace == envelope.subject.instance.namespace,
        // Only the operator's own router answers questions.
        (Source::Part(_), Topic::ToolApprovalResponse) => true,
        (Source::Part(_) | Source::Channel(..), _) => false,
    };
    if !from_run {
        return malformed(delivery, "its source is not the run that its subject names").await;
    }
    match envelope.topic() {
        Topic::AgentRunCompleted => result(world, run, ResultStatus::Success, delivery).await,
        Topic::AgentRunFailed => result(world, run, ResultStatus::Error, delivery).await,
        Topic::ToolApprovalRequest => question(world, run, true, delivery).await,
        Topic::ToolApprovalResponse => question(world, run, false, delivery).await,
        _ => delivery.ack().await,
    }
}

async fn malformed(delivery: Delivery, why: &'static str) -> Result<(), BusError> {
    metrics::counter!("sympozium_operator_malformed_messages_total").increment(1);
    delivery.terminate(why).await
}

/// The first one counts. A run that the cache does not show may be too new, or ended long ago: the message comes again a
/// few times, and only then goes to the dead letters.
async fn result(
    world: &World,
    run: RunUid,
    status: ResultStatus,
    delivery: Delivery,
) -> Result<(), BusError> {
    let Ok(result) = serde_json::from_value::<AgentResult>(delivery.envelope.data.clone()) else {
        return malformed(delivery, "its data is no result").await;
    };
    if result.status != status {
        return malformed(delivery, "its status is not that of its topic").await;
    }
    let at = delivery.envelope.time;
    let found = Found {
        result,
        origin: Origin::Event,
        usage: None,
        at: Some(at),
    };
    match world.take_result(run, found, delivery).await {
        None => Ok(()),
        Some(unknown) => unknown.retry(UNKNOWN_PAUSE).await,
    }
}

async fn question(world: &World, run: RunUid, asks: bool, delivery: Delivery) -> Result<(), BusError> {
    let id = delivery
        .envelope
        .data
        .get("id")
        .and_then(|id| id.as_str())
        .map(str::to_owned);
    let Some(id) = id else {
        return malformed(delivery, "its data names no question").await;
    };
    world.take_question(run, id, asks);
    delivery.ack().await
}
