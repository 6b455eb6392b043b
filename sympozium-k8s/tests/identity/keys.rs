//! Providers' keys.

use crate::api::FakeApi;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::ExposeSecret;
use serde_json::json;
use sympozium_core::error::Classify;
use sympozium_core::ids::Namespace;
use sympozium_core::keys::{KeySource, address_of};
use sympozium_k8s::identity::SecretKeys;
use url::Url;

#[tokio::test]
async fn a_secret_is_read_by_its_name_alone_and_goes_where_it_says() {
    let api = FakeApi::start().await;
    api.put("secrets", json!({
        "metadata": {"name": "key", "namespace": "team", "annotations": {"sympozium.ai/base-url": "https://llm.example/v1"}},
        "data": {"OPENAI_API_KEY": BASE64_STANDARD.encode("sk-canary\n"), "binary": BASE64_STANDARD.encode([0xff, 0xfe])},
    }));
    let keys = SecretKeys::new(api.client.clone());
    let kept = keys.key(&Namespace::new("team").unwrap(), "key").await.unwrap();
    assert_eq!(
        kept.key(&["OPENAI_API_KEY"]).unwrap().expose_secret(),
        "sk-canary"
    );
    let evil = Url::parse("https://evil.example/v1").unwrap();
    assert!(address_of("key", &kept, Some(&evil), None).is_err());
    let (reads, lists) = api.with(|state| (state.reads.clone(), state.lists.clone()));
    assert_eq!(
        reads,
        [("secrets".to_owned(), "team".to_owned(), "key".to_owned())]
    );
    assert!(lists.is_empty());
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_looks_like_one_that_is_not_there() {
    let api = FakeApi::start().await;
    let keys = SecretKeys::new(api.client.clone());
    let ask = async || {
        keys.key(&Namespace::new("team").unwrap(), "other")
            .await
            .unwrap_err()
    };
    assert_eq!(ask().await.kind(), "key-not-found");
    api.with(|state| state.forbid = true);
    assert_eq!(ask().await.kind(), "key-not-found");
}
