//! The fakes of models, chat platforms, skills and callers pass the suites that real ones have to pass.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use async_trait::async_trait;
use futures::FutureExt;
use secrecy::SecretString;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::auth::Caller;
use sympozium_core::channel::{ChannelError, ChannelKind, Inbound};
use sympozium_core::chat::{ChatEvent, FinishReason, Usage};
use sympozium_core::ids::{CallId, PackName, ProviderName, RunUid};
use sympozium_core::llm::{LlmError, LlmProvider};

use sympozium_core::run::RunPlan;
use sympozium_core::skill::{Skill, SkillError, SkillRef, SkillSource};
use sympozium_core::testing::{
    self, ChannelPeer, FakeAnswer, FakeProvider, KnownCaller, KnownPacks, PeerAnswer, ProviderPeer,
    RecordingChannel, StaticAuth, StaticSkills,
};

/// Makes fake providers, and keeps them to look at.
#[derive(Default)]
struct Fakes(Mutex<Vec<Arc<FakeProvider>>>);

fn text(text: String) -> ChatEvent {
    ChatEvent::TextDelta { index: 0, text }
}

const fn done(finish: FinishReason, usage: Option<Usage>) -> ChatEvent {
    ChatEvent::Done {
        finish,
        usage,
        model: None,
    }
}

fn answer(answer: PeerAnswer) -> FakeAnswer {
    match answer {
        PeerAnswer::Text { text: said, usage } => {
            FakeAnswer::Events(vec![Ok(text(said)), Ok(done(FinishReason::Stop, usage))])
        }
        PeerAnswer::ToolCalls(calls) => {
            let mut events = Vec::new();
            for (index, (name, arguments)) in (0..).zip(calls) {
                let id = CallId::new(format!("call_{index}")).unwrap();
                events.push(Ok(ChatEvent::ToolCallStart { index, id, name }));
                let arguments = arguments.to_string();
                events.push(Ok(ChatEvent::ToolCallDelta { index, arguments }));
            }
            events.push(Ok(done(FinishReason::ToolCalls, None)));
            FakeAnswer::Events(events)
        }
        PeerAnswer::BreaksOff { text: said } => FakeAnswer::Events(vec![Ok(text(said))]),
        PeerAnswer::Hangs { text: said } => FakeAnswer::Hang(vec![text(said)]),
        PeerAnswer::RefusesKey => FakeAnswer::Error(LlmError::Authentication {
            detail: "no".to_owned(),
        }),
        PeerAnswer::SlowDown { after } => FakeAnswer::Error(LlmError::RateLimited {
            after: Some(after),
            detail: "later".to_owned(),
        }),
    }
}

#[async_trait]
impl ProviderPeer for Fakes {
    async fn provider(&self, answers: Vec<PeerAnswer>) -> Arc<dyn LlmProvider> {
        let name = ProviderName::new("fake").unwrap();
        let provider = Arc::new(FakeProvider::new(name, answers.into_iter().map(answer)));
        self.0.lock().unwrap().push(provider.clone());
        provider
    }

    fn calls(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|fake| fake.requests().len())
            .sum()
    }

    fn hang_ups(&self) -> usize {
        self.0.lock().unwrap().iter().map(|fake| fake.hang_ups()).sum()
    }
}

#[tokio::test]
async fn the_fake_provider_keeps_the_contract_of_providers() {
    testing::llm_provider(&Fakes::default()).await;
}

/// What a suite says about something that breaks its contract.
async fn complaint(suite: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(suite).catch_unwind().await.unwrap_err();
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// A far side of a provider that goes on after it was done.
#[derive(Default)]
struct TalksOn(Fakes);

#[async_trait]
impl ProviderPeer for TalksOn {
    async fn provider(&self, _: Vec<PeerAnswer>) -> Arc<dyn LlmProvider> {
        let events = vec![
            Ok(done(FinishReason::Stop, None)),
            Ok(text("and another thing".to_owned())),
        ];
        let name = ProviderName::new("fake").unwrap();
        Arc::new(FakeProvider::new(name, [FakeAnswer::Events(events)]))
    }

    fn calls(&self) -> usize {
        self.0.calls()
    }

    fn hang_ups(&self) -> usize {
        self.0.hang_ups()
    }
}

#[tokio::test]
async fn a_provider_that_goes_on_after_done_is_caught() {
    let said = complaint(testing::llm_provider(&TalksOn::default())).await;
    assert!(
        said.starts_with("Done comes once, and nothing follows it"),
        "{said}"
    );
}

/// A person on the other side of a recording channel.
struct Person<'a>(&'a RecordingChannel, Mutex<u32>);

#[async_trait]
impl ChannelPeer for Person<'_> {
    async fn say(&self, chat: &str, text: &str) {
        let mut count = self.1.lock().unwrap();
        *count += 1;
        let message = Inbound {
            message_id: count.to_string(),
            chat_id: chat.to_owned(),
            sender_id: "p".to_owned(),
            sender_name: String::new(),
            text: text.to_owned(),
        };
        assert!(self.0.say(Ok(message)));
    }

    async fn heard(&self, chat: &str) -> Vec<String> {
        let sent = self.0.sent();
        sent.into_iter()
            .filter(|message| message.chat_id == chat)
            .map(|message| message.text)
            .collect()
    }

    async fn refuse_next(&self) {
        self.0.fail_next_send(ChannelError::Refused {
            channel: ChannelKind::Slack,
            detail: "no".to_owned(),
        });
    }

    async fn slow_down_next(&self, after: Duration) {
        self.0.fail_next_send(ChannelError::RateLimited {
            channel: ChannelKind::Slack,
            after,
        });
    }

    async fn break_connection(&self) {
        let broken = ChannelError::Connect {
            channel: ChannelKind::Slack,
            source: "reset".into(),
        };
        assert!(self.0.say(Err(broken)));
    }
}

#[tokio::test]
async fn the_recording_channel_keeps_the_contract_of_channels() {
    let channel = RecordingChannel::new(ChannelKind::Slack);
    testing::channel(&channel, &Person(&channel, Mutex::default())).await;
}

fn pack(name: &str, builtin: bool, category: &str) -> Skill {
    Skill {
        pack: PackName::new(name).unwrap(),
        builtin,
        category: Some(category.to_owned()),
        documents: Vec::new(),
        sidecar: None,
    }
}

fn known() -> KnownPacks {
    KnownPacks {
        builtin: PackName::new("given").unwrap(),
        own: PackName::new("mine").unwrap(),
    }
}

#[tokio::test]
async fn the_fixed_list_keeps_the_contract_of_skill_sources() {
    let packs = [
        pack("given", false, "an impostor"),
        pack("given", true, "the real one"),
        pack("mine", false, ""),
    ];
    testing::skill_source(&StaticSkills::new(packs), &known()).await;
}

/// Takes every pack for one of its own.
struct ForgetsBuiltins(StaticSkills);

#[async_trait]
impl SkillSource for ForgetsBuiltins {
    async fn resolve(&self, refs: &[SkillRef]) -> Result<Vec<Skill>, SkillError> {
        let mut found = self.0.resolve(refs).await?;
        for skill in &mut found {
            skill.builtin = false;
        }
        Ok(found)
    }
}

#[tokio::test]
async fn a_source_that_forgets_what_is_built_in_is_caught() {
    let packs = StaticSkills::new([pack("given", true, ""), pack("mine", false, "")]);
    let said = complaint(testing::skill_source(&ForgetsBuiltins(packs), &known())).await;
    assert_eq!(said, "a built-in pack says that it is one");
}

fn plan(run: RunUid) -> RunPlan {
    let mut plan = testing::run_plan("Say hello.");
    plan.run.uid = run;
    plan
}

#[tokio::test]
async fn fixed_tokens_and_listeners_keep_the_contract_of_authentication() {
    let run = RunUid::random();
    let caller = Caller::agent(Arc::new(plan(run)));
    let auth = StaticAuth::new()
        .token("t0ken", caller.clone())
        .listener("run-1", caller);
    let known = KnownCaller {
        run,
        token: Some(SecretString::from("t0ken")),
        listener: Some("run-1".to_owned()),
    };
    testing::authenticate(&auth, &known).await;
}
