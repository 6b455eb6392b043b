//! A team with an instance, policies, packs and runs, and the authenticator that knows them.

use crate::api::FakeApi;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::auth::{AuthError, Authenticate, Caller, Credentials, Purpose};
use sympozium_core::error::Classify;
use sympozium_k8s::identity::{
    AuthenticatorSettings, Ended, LiveRuns, LiveSettings, TokenReviewAuthenticator,
};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// How long anything may take that is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// The pod of the run `r`.
pub(crate) const POD: Uuid = Uuid::from_u128(0xb0d);
pub(crate) const AGENT: &str = "sympozium-gateway";
pub(crate) const BUS: &str = "sympozium-bus";
pub(crate) const OPS: &str = "sympozium-egress/ops";

pub(crate) struct Scene {
    pub(crate) api: FakeApi,
    pub(crate) auth: TokenReviewAuthenticator,
    pub(crate) ended: Ended,
    now: Arc<Mutex<Timestamp>>,
    _stop: DropGuard,
    _tasks: JoinSet<()>,
}

/// A run as the API server has it.
pub(crate) fn run(name: &str, uid: u128, pod: Option<Uuid>, phase: &str) -> Value {
    json!({
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "AgentRun",
        "metadata": {"name": name, "namespace": "team", "uid": Uuid::from_u128(uid).to_string()},
        "spec": {"instanceRef": "sre", "task": "look"},
        "status": {"phase": phase, "podUID": pod.map(|pod| pod.to_string())},
    })
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "sympozium.ai/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"sympozium.ai/builtin": "true"}}, "spec": spec})
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let api = FakeApi::start().await;
        api.put("namespaces", json!({"metadata": {"name": "team"}}));
        api.put(
            "sympoziumpolicies",
            object("SympoziumPolicy", "sympozium-system", "default", &json!({})),
        );
        let pack = json!({"skills": [{"name": "s", "content": "c"}], "sidecar": {"image": "i",
            "rbac": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}});
        api.put(
            "skillpacks",
            object("SkillPack", "sympozium-system", "ops", &pack),
        );
        let spec = json!({"agents": {"default": {"model": "gpt-4o"}}, "skills": [{"skillPackRef": "ops"}]});
        api.put(
            "sympoziuminstances",
            object("SympoziumInstance", "team", "sre", &spec),
        );
        api.put("agentruns", run("r", 1, Some(POD), "Running"));
        Self::of(api).await
    }

    async fn of(api: FakeApi) -> Self {
        let now = Arc::new(Mutex::new(Timestamp::from_second(1_000_000).unwrap()));
        let (runs, ended) = LiveRuns::new(api.client.clone(), LiveSettings::default());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (watching, cancel) = (Arc::clone(&runs), stop.clone());
        tasks.spawn(async move { watching.run(cancel).await });
        tokio::time::timeout(DEADLINE, runs.complete())
            .await
            .expect("all is seen in time");
        let clock = Arc::clone(&now);
        let auth = TokenReviewAuthenticator::with_clock(
            api.client.clone(),
            runs,
            AuthenticatorSettings::default(),
            Arc::new(move || *clock.lock().unwrap()),
        );
        Self {
            api,
            auth,
            ended,
            now,
            _stop: stop.drop_guard(),
            _tasks: tasks,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    /// A token that the API server finds genuine, bound to a pod of that name.
    pub(crate) fn token(&self, audience: &str, pod: Uuid, pod_name: &str) -> String {
        let token = forged(audience, Some(pod), self.now());
        self.genuine(&token, audience, &review(audience, pod, pod_name));
        token
    }

    pub(crate) fn genuine(&self, token: &str, audience: &str, status: &Value) {
        let key = (token.to_owned(), audience.to_owned());
        self.api.with(|state| state.tokens.insert(key, status.clone()));
    }

    pub(crate) async fn ask(&self, token: &str) -> Result<Caller, AuthError> {
        self.ask_as(token, Purpose::Agent, None).await
    }

    pub(crate) async fn ask_as(
        &self,
        token: &str,
        purpose: Purpose,
        peer: Option<IpAddr>,
    ) -> Result<Caller, AuthError> {
        let credentials = Credentials {
            bearer: Some(SecretString::from(token)),
            purpose,
            peer,
            ..Credentials::default()
        };
        tokio::time::timeout(DEADLINE, self.auth.authenticate(&credentials))
            .await
            .expect("an answer in time")
    }

    /// Why a token is refused.
    pub(crate) async fn refused(&self, token: &str) -> &'static str {
        self.ask(token)
            .await
            .map_or_else(|error| error.kind(), |_| "let in")
    }

    /// Asks until the answer is that one: what a watch tells comes a moment later.
    pub(crate) async fn until(&self, token: &str, expected: &str) {
        let wait = async {
            while self.refused(token).await != expected {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, wait).await.is_ok(), "{expected}");
    }

    pub(crate) fn reviews(&self) -> usize {
        self.api.with(|state| state.reviews)
    }
}

/// What the API server says of a genuine token.
pub(crate) fn review(audience: &str, pod: Uuid, pod_name: &str) -> Value {
    json!({
        "authenticated": true,
        "audiences": [audience],
        "user": {"username": "system:serviceaccount:team:sympozium-run-instance-sre", "extra": {
            "authentication.kubernetes.io/pod-name": [pod_name],
            "authentication.kubernetes.io/pod-uid": [pod.to_string()],
        }},
    })
}

/// A token as the API server would make it; whether it is genuine is for the API server to say.
pub(crate) fn forged(audience: &str, pod: Option<Uuid>, now: Timestamp) -> String {
    let payload = json!({
        "aud": [audience],
        "exp": now.as_second() + 3_600,
        "sub": "system:serviceaccount:team:sympozium-run-instance-sre",
        "kubernetes.io": {"namespace": "team", "pod": pod.map(|pod| json!({"name": "r-abcde", "uid": pod.to_string()}))},
        "jti": Uuid::new_v4().to_string(),
    });
    let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part("{}".to_owned()),
        part(payload.to_string()),
        part("signed".to_owned())
    )
}
