//! Keys from Secrets: they go where their Secret says, and nowhere else.

use crate::scene::{Raw, Scene, body, kind, limits, plan};
use crate::web::{Web, page};
use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use sympozium_core::ids::Namespace;
use sympozium_core::keys::{KeptKey, KeyError, KeySource};
use sympozium_core::run::RunPlan;
use sympozium_core::store::InMemoryStore;
use sympozium_llm::gateway::{Gateway, KeyedProviders, Stores};
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::ProviderRegistry;

/// One Secret, which says that its key is for this address.
struct OneSecret {
    base_url: Option<String>,
    reads: AtomicUsize,
}

#[async_trait]
impl KeySource for OneSecret {
    async fn key(&self, namespace: &Namespace, secret: &str) -> Result<KeptKey, KeyError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if secret != "key" {
            return Err(KeyError::NotFound {
                namespace: namespace.clone(),
                secret: secret.to_owned(),
            });
        }
        let value = ("OPENAI_API_KEY".to_owned(), SecretString::from("sk-canary"));
        Ok(KeptKey {
            values: [value].into(),
            base_url: self.base_url.clone(),
        })
    }
}

/// A provider that answers nothing useful, and says what it was asked.
async fn provider() -> Web {
    Web::start(|_| vec![("/v1/chat/completions", page("text/plain", "no"))]).await
}

fn run(secret: &str, base_url: Option<&str>) -> RunPlan {
    let mut plan = plan();
    plan.model.provider = "openai".parse().unwrap();
    plan.model.secret = Some(secret.to_owned());
    plan.model.base_url = base_url.map(|url| url.parse().unwrap());
    plan
}

async fn ask(rules: AddressRules, keys: &Arc<OneSecret>, plan: &RunPlan) -> (u16, String, String) {
    let client = GuardedClient::new(rules).unwrap();
    let providers = KeyedProviders::new(ProviderRegistry::standard(), client, keys.clone());
    let builder = Gateway::builder()
        .providers(Arc::new(providers))
        .stores(Stores::all(Arc::new(InMemoryStore::new())))
        .limits(limits());
    let mut scene = Scene::new(builder);
    let raw = Raw::new(&scene.open(plan));
    raw.chat("a", &body("hi")).await;
    // Another step finds the provider made.
    let said = raw.chat("b", &body("hi")).await;
    (said.0, kind(&said).to_owned(), said.1.to_string())
}

fn inside() -> AddressRules {
    AddressRules::public_only().allow_net("127.0.0.0/8".parse().unwrap())
}

#[tokio::test]
async fn a_key_goes_to_the_address_that_its_secret_names_and_is_read_once() {
    let own = provider().await;
    let url = own.url("127.0.0.1", "/v1");
    let keys = Arc::new(OneSecret {
        base_url: Some(url.clone()),
        reads: AtomicUsize::new(0),
    });
    for wanted in [None, Some(url.as_str())] {
        ask(inside(), &keys, &run("key", wanted)).await;
    }
    let heads = own.heads.lock().unwrap().clone();
    assert!(heads.len() >= 4);
    assert!(
        heads
            .iter()
            .all(|head| head.contains("authorization: Bearer sk-canary"))
    );
    assert_eq!(keys.reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_that_names_another_address_gets_no_key_and_no_call() {
    let (own, evil) = (provider().await, provider().await);
    let wanted = evil.url("127.0.0.1", "/v1");
    for base_url in [None, Some(own.url("127.0.0.1", "/v1"))] {
        let keys = Arc::new(OneSecret {
            base_url,
            reads: AtomicUsize::new(0),
        });
        let (status, kind, text) = ask(inside(), &keys, &run("key", Some(&wanted))).await;
        assert_eq!((status, kind.as_str()), (502, "provider-refused"), "{text}");
        assert!(
            text.contains("sympozium.ai/base-url") && !text.contains("canary"),
            "{text}"
        );
    }
    assert_eq!((own.connections(), evil.connections()), (0, 0));
}

#[tokio::test]
async fn a_private_address_is_used_only_if_the_installation_lists_it() {
    let own = provider().await;
    let keys = Arc::new(OneSecret {
        base_url: Some(own.url("127.0.0.1", "/v1")),
        reads: AtomicUsize::new(0),
    });
    let elsewhere = AddressRules::public_only().allow_net("10.0.0.0/8".parse().unwrap());
    for rules in [AddressRules::public_only(), elsewhere] {
        let (status, _, text) = ask(rules, &keys, &run("key", None)).await;
        assert!(status >= 400 && text.contains("loopback"), "{text}");
    }
    assert_eq!(own.connections(), 0);
    let (_, kind, _) = ask(inside(), &keys, &run("other", None)).await;
    assert_eq!(kind, "provider-refused");
}
