//! What each principal may do, tried on the server: everything of the table works, everything else is refused.

use crate::installation::{
    DEADLINE, Installation, Raw, bridge, channel, instance, next, refusal_of_subscription, run_of, said,
};
use serde_json::json;
use std::time::Duration;
use sympozium_core::bus::{Envelope, EventBus, Principal, Source, Speaker, Subject, Subscription, Topic};
use sympozium_core::error::Classify;
use sympozium_core::ids::RunUid;
use uuid::Uuid;

const LIFETIME: Duration = Duration::from_mins(5);

fn reader(name: String, topic: Topic, key: Option<String>) -> Subscription {
    Subscription {
        reader: name,
        topics: vec![topic],
        instance: Some(instance("sre")),
        key,
        ack_wait: Duration::from_secs(10),
        max_deliver: 3,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn each_principal_can_do_its_part_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;

    let bridge = bridge();
    let run = run_of(&bridge);
    let down = reader(
        bridge.reader().unwrap(),
        Topic::AgentFollowup,
        Some(run.to_string()),
    );
    operator.prepare_reader(&down).await.unwrap();
    let bus = installation.connect(&bridge).await;
    let mut watched = operator
        .subscribe(Subscription {
            topics: Topic::ALL.to_vec(),
            ..reader("router".to_owned(), Topic::Receipt, None)
        })
        .await
        .unwrap();
    for topic in Topic::ALL.iter().filter(|topic| topic.speaker() == Speaker::Run) {
        let envelope = said(run, *topic);
        bus.publish(envelope.clone()).await.unwrap();
        let delivery = next(&mut watched).await;
        assert_eq!(delivery.envelope, envelope);
        delivery.ack().await.unwrap();
    }
    let mut downstream = bus.subscribe(down).await.unwrap();
    let followup = Envelope {
        source: Source::Part("router".to_owned()),
        ..said(run, Topic::AgentFollowup)
    };
    operator.publish(followup.clone()).await.unwrap();
    let delivery = next(&mut downstream).await;
    assert_eq!(delivery.envelope, followup);
    delivery.ack().await.unwrap();

    let channel = channel();
    let Principal::Channel { instance, kind, .. } = channel.clone() else {
        panic!("it is a channel")
    };
    let down = reader(
        channel.reader().unwrap(),
        Topic::ChannelMessageSend,
        Some(kind.to_string()),
    );
    operator.prepare_reader(&down).await.unwrap();
    let chat = installation.connect(&channel).await;
    let of = |topic, source| Envelope {
        source,
        subject: Subject::new(instance.clone(), topic, kind.as_str()).unwrap(),
        ..said(run, topic)
    };
    let source = Source::Channel(instance.namespace.clone(), kind);
    for topic in [Topic::ChannelMessageReceived, Topic::ChannelHealthUpdate] {
        chat.publish(of(topic, source.clone())).await.unwrap();
    }
    let mut downstream = chat.subscribe(down).await.unwrap();
    let out = of(Topic::ChannelMessageSend, Source::Part("router".to_owned()));
    operator.publish(out.clone()).await.unwrap();
    let delivery = next(&mut downstream).await;
    assert_eq!(delivery.envelope, out);
    delivery.terminate("tried").await.unwrap();

    let apiserver = Principal::ApiServer { pod: Uuid::new_v4() };
    let api = installation.connect(&apiserver).await;
    let mut watching = api
        .subscribe(Subscription {
            topics: vec![Topic::AgentStreamChunk, Topic::AgentRunCompleted],
            ..reader(apiserver.reader().unwrap(), Topic::Receipt, None)
        })
        .await
        .unwrap();
    let chunk = said(run, Topic::AgentStreamChunk);
    bus.publish(chunk.clone()).await.unwrap();
    let delivery = next(&mut watching).await;
    assert_eq!(delivery.envelope, chunk);
    delivery.ack().await.unwrap();
    for bus in [bus, chat, api] {
        bus.close().await;
    }
    let wanted = operator.readers().await.unwrap();
    for reader in &wanted {
        operator.remove_reader(reader).await.unwrap();
    }
    assert_eq!(operator.readers().await.unwrap(), [""; 0]);
    operator.close().await;
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn everything_else_is_refused_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;
    let (bridge, other, chat) = (bridge(), bridge_of_another(), channel());
    let (run, other_run) = (run_of(&bridge), run_of(&other));
    for principal in [&bridge, &other, &chat] {
        let key = Some(run_of_or_kind(principal));
        let topic = Topic::Receipt;
        operator
            .prepare_reader(&reader(principal.reader().unwrap(), topic, key))
            .await
            .unwrap();
    }

    let own = "sympozium.w.team.sre";
    let victim = other.reader().unwrap();
    let mut refused: Vec<String> = Topic::ALL
        .iter()
        .flat_map(|topic| {
            let subject = |run: RunUid| said(run, *topic).subject.to_string();
            let mine = subject(run);
            [
                // Another run, another instance, another namespace, no run at all.
                subject(other_run),
                mine.replace(".sre.", ".dev."),
                mine.replace(".team.", ".mate."),
                mine.replace(&run.to_string(), "telegram"),
                format!("{mine}.more"),
            ]
        })
        .collect();
    let routers = Topic::ALL.iter().filter(|topic| topic.speaker() != Speaker::Run);
    refused.extend(routers.map(|topic| said(run, *topic).subject.to_string()));
    refused.extend([
        format!("{own}.channel.message.send.slack"),
        format!("sympozium.s.team.sre.agent.run.completed.{run}"),
        format!("sympozium-dead.w.team.sre.agent.run.completed.{run}"),
        "$JS.API.INFO".to_owned(),
        "$JS.API.STREAM.NAMES".to_owned(),
        "$JS.API.STREAM.INFO.sympozium-work".to_owned(),
        "$JS.API.STREAM.DELETE.sympozium-work".to_owned(),
        "$JS.API.STREAM.PURGE.sympozium-work".to_owned(),
        "$JS.API.STREAM.MSG.GET.sympozium-work".to_owned(),
        "$JS.API.DIRECT.GET.sympozium-work".to_owned(),
        format!("$JS.API.CONSUMER.CREATE.sympozium-work.{run}"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.sympozium-work.{run}"),
        format!("$JS.API.CONSUMER.DELETE.sympozium-work.{run}"),
        format!("$JS.API.CONSUMER.INFO.sympozium-work.{victim}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.sympozium-work.{victim}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.sympozium-stream.{run}"),
        format!(
            "$JS.API.CONSUMER.MSG.NEXT.sympozium-work.{}",
            chat.reader().unwrap()
        ),
        format!("$JS.ACK.sympozium-work.{victim}.1.1.1.1.0"),
        "$SYS.REQ.USER.AUTH".to_owned(),
        "$SYS.REQ.SERVER.PING".to_owned(),
        format!("_INBOX.{}.x", other.pod()),
        "_INBOX.x".to_owned(),
        "anything".to_owned(),
    ]);
    let raw = Raw::connect(&installation, &bridge).await;
    for subject in &refused {
        raw.client.publish(subject.clone(), "x".into()).await.unwrap();
        let said = raw
            .refusal()
            .await
            .unwrap_or_else(|| panic!("{subject} is refused"));
        assert!(
            said.contains("Permissions Violation for Publish"),
            "{subject}: {said}"
        );
    }
    for subject in [
        ">",
        "*",
        "_INBOX.>",
        "_INBOX.*.*",
        "sympozium.>",
        "sympozium.w.team.sre.>",
        "$JS.>",
        "$JS.EVENT.>",
        "$SYS.>",
        &format!("_INBOX.{}.>", other.pod()),
        &said(run, Topic::AgentFollowup).subject.to_string(),
        &said(run, Topic::AgentRunCompleted).subject.to_string(),
    ] {
        let said = refusal_of_subscription(&raw, subject).await;
        let said = said.unwrap_or_else(|| panic!("{subject} is refused"));
        assert!(
            said.contains("Permissions Violation for Subscription"),
            "{subject}: {said}"
        );
    }
    assert_eq!(
        refusal_of_subscription(&raw, &format!("_INBOX.{}.x", bridge.pod())).await,
        None
    );
    raw.close().await;

    // The bus says so at once, by type.
    let bus = installation.connect(&chat).await;
    let error = bus
        .publish(said(run, Topic::AgentRunCompleted))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "forbidden", "{error}");
    bus.close().await;
    operator.close().await;
    callout.stop().await;
}

fn bridge_of_another() -> Principal {
    bridge()
}

fn run_of_or_kind(principal: &Principal) -> String {
    match principal {
        Principal::Channel { kind, .. } => kind.to_string(),
        Principal::Bridge { run, .. } => run.to_string(),
        Principal::Operator { .. } | Principal::ApiServer { .. } => panic!("{principal:?} has no key"),
    }
}

/// Whoever may publish chooses where the server sends its answer. It can name the subject of a victim; what the server
/// writes there must do no harm.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn an_answer_sent_to_somebody_else_does_no_harm_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;
    let (attacker, victim) = (bridge(), bridge());
    let victim_run = run_of(&victim);
    let down = reader(
        victim.reader().unwrap(),
        Topic::AgentFollowup,
        Some(victim_run.to_string()),
    );
    operator.prepare_reader(&down).await.unwrap();
    let everything = Subscription {
        topics: vec![Topic::AgentRunCompleted],
        ..reader("router".to_owned(), Topic::Receipt, None)
    };
    let mut router = operator.subscribe(everything).await.unwrap();
    let kept: Vec<Envelope> = (0..3)
        .map(|_| Envelope {
            source: Source::Part("router".to_owned()),
            ..said(victim_run, Topic::AgentFollowup)
        })
        .collect();
    for envelope in &kept {
        operator.publish(envelope.clone()).await.unwrap();
    }

    let raw = Raw::connect(&installation, &attacker).await;
    let reader_name = victim.reader().unwrap();
    let targets = [
        said(victim_run, Topic::AgentRunCompleted).subject.to_string(),
        "$JS.API.STREAM.PURGE.sympozium-work".to_owned(),
        "$JS.API.STREAM.DELETE.sympozium-work".to_owned(),
        "$JS.API.STREAM.UPDATE.sympozium-work".to_owned(),
        "$JS.API.STREAM.MSG.DELETE.sympozium-work".to_owned(),
        format!("$JS.API.CONSUMER.RESET.sympozium-work.{reader_name}"),
        format!("$JS.API.CONSUMER.DELETE.sympozium-work.{reader_name}"),
        format!("$JS.API.CONSUMER.PAUSE.sympozium-work.{reader_name}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.sympozium-work.{reader_name}"),
        format!("$JS.ACK.sympozium-work.{reader_name}.1.1.1.1.0"),
    ];
    for target in targets {
        let own = said(run_of(&attacker), Topic::AgentStatusUpdate);
        let work = said(run_of(&attacker), Topic::MessageRequest);
        for envelope in [own, work] {
            let payload = serde_json::to_vec(&envelope).unwrap();
            raw.client
                .publish_with_reply(envelope.subject.to_string(), target.clone(), payload.into())
                .await
                .unwrap();
        }
        // Some servers refuse some of these as places for an answer, which is as good.
        let _ = raw.refusal().await;
    }
    raw.close().await;

    // Nothing was purged, skipped or doubled: the victim gets what was said to it, once and in order.
    let bus = installation.connect(&victim).await;
    let mut downstream = bus.subscribe(down).await.unwrap();
    for envelope in &kept {
        let delivery = next(&mut downstream).await;
        assert_eq!(&delivery.envelope, envelope);
        delivery.ack().await.unwrap();
    }
    // What the server wrote under the victim's subject is counted, and is no event.
    let real = Envelope {
        data: json!({"result": "done"}),
        ..said(victim_run, Topic::AgentRunCompleted)
    };
    bus.publish(real.clone()).await.unwrap();
    let delivery = next(&mut router).await;
    assert_eq!(delivery.envelope, real);
    delivery.ack().await.unwrap();
    assert!(operator.malformed() >= 1, "the junk was counted");
    assert_eq!(operator.dead_letters(10).await.unwrap(), []);
    tokio::time::timeout(DEADLINE, bus.close()).await.unwrap();
    operator.close().await;
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn the_callouts_own_keys_open_nothing_else_on_nats() {
    let installation = Installation::start();
    let [_, callout, system, _] = installation.keys.seeds();
    for seed in [callout, system] {
        let (sender, mut errors) = tokio::sync::mpsc::channel(64);
        let client =
            async_nats::ConnectOptions::with_nkey(secrecy::ExposeSecret::expose_secret(seed).to_owned())
                .custom_inbox_prefix("_INBOX.sympozium-callout")
                .event_callback(move |event| {
                    let sender = sender.clone();
                    async move {
                        if let async_nats::Event::ServerError(error) = event {
                            sender.send(error.to_string()).await.unwrap();
                        }
                    }
                })
                .connect(installation.server.url())
                .await
                .unwrap();
        for subject in [
            format!("sympozium.w.team.sre.receipt.{}", Uuid::new_v4()),
            "$JS.API.INFO".to_owned(),
            "$SYS.REQ.SERVER.PING.CONNZ".to_owned(),
        ] {
            client.publish(subject.clone(), "".into()).await.unwrap();
            let said = tokio::time::timeout(DEADLINE, errors.recv())
                .await
                .unwrap()
                .unwrap();
            assert!(said.contains("Permissions Violation"), "{subject}: {said}");
        }
        client.drain().await.unwrap();
    }
}
