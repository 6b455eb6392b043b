//! Keys from Secrets: they go where their Secret says, and nowhere else.

use crate::scene::{Raw, Scene, body, kind, limits, plan};
use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use sympozium_core::ids::Namespace;
use sympozium_core::keys::{KeptKey, KeyError, KeySource};
use sympozium_core::run::RunPlan;
use sympozium_core::store::InMemoryStore;
use sympozium_llm::gateway::{Gateway, KeyedProviders, Stores};
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::ProviderRegistry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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

/// A provider that refuses whatever it is asked, and says what that was.
struct Refuser {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Refuser {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn provider() -> Refuser {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let mut server = JoinSet::new();
    let seen = Arc::clone(&heads);
    server.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                if socket.read_buf(&mut asked).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            seen.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&asked).into_owned());
            let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = socket.write_all(refusal.as_bytes()).await;
            // Closing with something unread would break the answer off.
            let _ = socket.shutdown().await;
            let _ = socket.read_to_end(&mut asked).await;
        }
    });
    Refuser {
        port,
        heads,
        _server: server,
    }
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
    let url = own.url();
    let keys = Arc::new(OneSecret {
        base_url: Some(url.clone()),
        reads: AtomicUsize::new(0),
    });
    for wanted in [None, Some(url.as_str())] {
        ask(inside(), &keys, &run("key", wanted)).await;
    }
    let heads = own.heads();
    assert_eq!(heads.len(), 4);
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
    let wanted = evil.url();
    for base_url in [None, Some(own.url())] {
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
    assert!(own.heads().is_empty() && evil.heads().is_empty());
}

#[tokio::test]
async fn a_private_address_is_used_only_if_the_installation_lists_it() {
    let own = provider().await;
    let keys = Arc::new(OneSecret {
        base_url: Some(own.url()),
        reads: AtomicUsize::new(0),
    });
    let elsewhere = AddressRules::public_only().allow_net("10.0.0.0/8".parse().unwrap());
    for rules in [AddressRules::public_only(), elsewhere] {
        let (status, _, text) = ask(rules, &keys, &run("key", None)).await;
        assert!(status >= 400 && text.contains("loopback"), "{text}");
    }
    assert!(own.heads().is_empty());
    let (_, kind, _) = ask(inside(), &keys, &run("other", None)).await;
    assert_eq!(kind, "provider-refused");
}
