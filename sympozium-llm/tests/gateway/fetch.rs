//! Web pages: what is fetched, and what is refused wherever it hides.

use crate::providers::fake;
use crate::scene::{DEADLINE, Raw, Said, Scene, gateway, kind, plan};
use crate::web::{Web, page, redirect};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::gateway::FetchRequest;
use sympozium_core::policy::{EgressHost, EgressPolicy, Feature, Pattern, Policy, PolicyName, PolicyOrigin};
use sympozium_core::run::RunPlan;
use sympozium_core::store::{AuditKind, AuditLog, InMemoryStore};
use sympozium_llm::gateway::{FetchSettings, Fetcher, Stores};
use sympozium_llm::http::{AddressRules, GuardedClient, Resolve};

/// Names, and where they lead.
struct Names(BTreeMap<&'static str, IpAddr>);

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = self
            .0
            .get(host)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(vec![*found])
    }
}

fn private(host: &str) -> EgressHost {
    EgressHost {
        host: Pattern::new(host).unwrap(),
        methods: vec![],
        paths: vec![],
        private: true,
    }
}

/// A plan whose install-wide policy names `wiki.corp` as private, and otherwise everything.
fn wiki() -> RunPlan {
    let mut plan = plan();
    let everything = EgressHost {
        private: false,
        ..private("*")
    };
    plan.policies[0].egress = Some(EgressPolicy {
        hosts: vec![private("wiki.corp"), everything],
    });
    plan
}

struct Client {
    raw: Raw,
    store: Arc<InMemoryStore>,
    plan: RunPlan,
    _scene: Scene,
}

impl Client {
    fn new(plan: RunPlan, settings: FetchSettings) -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let names = Names(BTreeMap::from([
            ("wiki.corp", loopback),
            ("inward.example", loopback),
            ("other.corp", loopback),
        ]));
        // What is listed for providers must not help a page.
        let rules = AddressRules::public_only()
            .allow("127.0.0.1", 80)
            .allow("localhost", 11434);
        let client = GuardedClient::with_resolver(rules, Arc::new(names)).unwrap();
        let store = Arc::new(InMemoryStore::new());
        let builder = gateway(fake([])).stores(Stores::all(store.clone()));
        let mut scene = Scene::new(builder.fetcher(Fetcher::new(&client, settings).unwrap()));
        let raw = Raw::new(&scene.open(&plan));
        Self {
            raw,
            store,
            plan,
            _scene: scene,
        }
    }

    fn with(plan: RunPlan) -> Self {
        Self::new(plan, FetchSettings::default())
    }

    async fn fetch(&self, url: &str) -> Said {
        self.raw.post("/v1/fetch", &json!({"url": url})).await
    }

    async fn refusal(&self, url: &str) -> String {
        let refused = self.fetch(url).await;
        assert_eq!(
            (refused.0, kind(&refused)),
            (403, "egress-refused"),
            "{url}: {}",
            refused.1
        );
        refused.1["detail"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn no_address_inside_is_fetched_by_name_or_by_any_number() {
    let client = Client::with(plan());
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "sub.localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.1.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "metadata.google.internal",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "[fec0::1]",
        "localhost:11434",
        "127.0.0.1:80",
        "inward.example",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "127。0。0。1",
    ] {
        client.refusal(&format!("http://{host}/")).await;
    }
}

#[tokio::test]
async fn what_is_refused_is_not_connected_to_and_is_on_record() {
    let web = Web::start(|_| vec![]).await;
    let client = Client::with(plan());
    let detail = client.refusal(&web.url("127.0.0.1", "/")).await;
    assert!(detail.contains("127.0.0.1"), "{detail}");
    let detail = client.refusal(&web.url("inward.example", "/secret?q=1")).await;
    assert_eq!(
        detail,
        "The address of inward.example is not allowed: inward.example leads to 127.0.0.1, a loopback address."
    );
    assert_eq!(web.connections(), 0);
    let records = client
        .store
        .read(client.plan.run.uid, None, 10)
        .await
        .unwrap()
        .items;
    assert!(records.iter().all(|record| record.kind == AuditKind::Fetch));
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].detail["error"], "urn:sympozium:problem:egress-refused");
    assert_eq!(records[1].detail["url"], web.url("inward.example", "/secret?q=1"));
}

#[tokio::test]
async fn a_page_of_a_host_that_the_installation_names_as_private_is_fetched() {
    let web = Web::start(|_| {
        vec![
            ("/", page("text/html; charset=utf-8", "<h1>Wiki</h1><p>Words.")),
            ("/t", redirect("/")),
        ]
    })
    .await;
    let client = Client::with(wiki());
    let (status, said) = client.fetch(&web.url("wiki.corp", "/t")).await;
    let expected = json!({
        "url": web.url("wiki.corp", "/"), "status": 200, "contentType": "text/html",
        "text": "# Wiki\n\nWords.\n", "cutChars": 0,
    });
    assert_eq!((status, said), (200, expected));
    let heads = web.heads.lock().unwrap().clone();
    assert!(
        heads[0].contains(&format!("host: wiki.corp:{}", web.port)),
        "{}",
        heads[0]
    );
    let record = client
        .store
        .read(client.plan.run.uid, None, 10)
        .await
        .unwrap()
        .items
        .pop()
        .unwrap();
    let expected = json!({
        "url": web.url("wiki.corp", "/t"), "from": web.url("wiki.corp", "/"), "status": 200, "bytes": 20 + 2,
        "policy": "local-default", "rule": "egress.hosts[0]",
    });
    assert_eq!(record.detail, expected);
}

#[tokio::test]
async fn only_the_installation_can_name_a_private_host() {
    let web = Web::start(|_| vec![]).await;
    for origin in [PolicyOrigin::Namespace, PolicyOrigin::Instance] {
        let mut plan = plan();
        let mut policy = Policy::open(PolicyName("tenant".to_owned()), origin);
        policy.egress = Some(EgressPolicy {
            hosts: vec![private("wiki.corp")],
        });
        plan.policies.push(policy);
        Client::with(plan).refusal(&web.url("wiki.corp", "/")).await;
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_decided_like_any_other_address() {
    let web = Web::start(|port| {
        vec![
            ("/number", redirect(&format!("http://127.0.0.1:{port}/"))),
            ("/v6", redirect(&format!("http://[::1]:{port}/"))),
            ("/name", redirect(&format!("http://inward.example:{port}/"))),
            ("/other", redirect(&format!("http://other.corp:{port}/"))),
            ("/metadata", redirect("http://169.254.169.254/latest/meta-data/")),
            ("/file", redirect("file:///etc/passwd")),
            ("/nowhere", redirect("http://")),
            ("/round", redirect("/round")),
        ]
    })
    .await;
    let client = Client::with(wiki());
    for path in ["/number", "/v6", "/name", "/other", "/metadata", "/file"] {
        client.refusal(&web.url("wiki.corp", path)).await;
    }
    assert_eq!(web.connections(), 6, "each was asked once, and nothing behind it");
    for (path, words) in [("/nowhere", "no URL"), ("/round", "more than 5 redirects")] {
        let failed = client.fetch(&web.url("wiki.corp", path)).await;
        assert_eq!((failed.0, kind(&failed)), (502, "fetch-failed"));
        assert!(failed.1["detail"].as_str().unwrap().contains(words));
    }
    // A policy that lists one host does not let it send us to another.
    let mut strict = plan();
    strict.policies[0].egress = Some(EgressPolicy {
        hosts: vec![private("wiki.corp")],
    });
    let refused = Client::with(strict).fetch(&web.url("wiki.corp", "/name")).await;
    assert_eq!(
        (refused.0, &refused.1["rule"]),
        (403, &Value::from("egress.hosts"))
    );
}

#[tokio::test]
async fn a_header_that_forges_or_carries_credentials_is_refused_before_anything_is_sent() {
    let web = Web::start(|_| vec![("/", page("text/plain", "x"))]).await;
    let client = Client::with(wiki());
    for header in [
        "Host",
        "host",
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "X-Forwarded-Host",
    ] {
        let body = json!({"url": web.url("wiki.corp", "/"), "headers": {header: "intern.corp"}});
        let refused = client.raw.post("/v1/fetch", &body).await;
        assert_eq!((refused.0, kind(&refused)), (400, "bad-request"), "{header}");
    }
    assert_eq!(web.connections(), 0);
    let body = json!({"url": web.url("wiki.corp", "/"), "headers": {"Accept-Language": "de"}});
    assert_eq!(client.raw.post("/v1/fetch", &body).await.0, 200);
    assert!(web.heads.lock().unwrap()[0].contains("accept-language: de"));
}

#[tokio::test]
async fn a_page_is_bounded_in_characters_bytes_time_and_kind() {
    let long = "ä".repeat(60_000);
    let answers = move |_| {
        vec![
            ("/long", page("text/plain; charset=utf-8", &long)),
            (
                "/endless",
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_owned() + &"x".repeat(200_001),
            ),
            ("/large", page("text/plain", &"x".repeat(200_001))),
            (
                "/hang",
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nx".to_owned(),
            ),
            ("/pdf", page("application/pdf", "%PDF")),
            (
                "/gone",
                "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ngone"
                    .to_owned(),
            ),
        ]
    };
    let web = Web::start(answers).await;
    let settings = FetchSettings {
        max_bytes: 200_000,
        timeout: Duration::from_secs(2),
        ..FetchSettings::default()
    };
    let client = Client::new(wiki(), settings);
    let url = |path| web.url("wiki.corp", path);
    let (_, whole) = client.fetch(&url("/long")).await;
    assert_eq!(
        (
            whole["text"].as_str().unwrap().chars().count(),
            &whole["cutChars"]
        ),
        (50_000, &json!(10_000))
    );
    let (_, some) = client
        .raw
        .post("/v1/fetch", &json!({"url": url("/long"), "maxChars": 7}))
        .await;
    assert_eq!(
        (&some["text"], &some["cutChars"]),
        (&json!("ä".repeat(7)), &json!(59_993))
    );
    for (path, status, kind_of, words) in [
        ("/endless", 502, "fetch-failed", "larger than 200000 bytes"),
        ("/large", 502, "fetch-failed", "larger than 200000 bytes"),
        ("/pdf", 502, "fetch-failed", "application/pdf, which is not text"),
        ("/hang", 504, "timeout", "did not arrive within 2s"),
    ] {
        let failed = client.fetch(&url(path)).await;
        assert_eq!((failed.0, kind(&failed)), (status, kind_of), "{path}");
        assert!(
            failed.1["detail"].as_str().unwrap().contains(words),
            "{path}: {}",
            failed.1
        );
    }
    let (status, gone) = client.fetch(&url("/gone")).await;
    assert_eq!(
        (status, &gone["status"], &gone["text"]),
        (200, &json!(404), &json!("gone"))
    );
    let closed = client.fetch("http://wiki.corp:1/").await;
    assert_eq!((closed.0, kind(&closed)), (502, "fetch-failed"));
}

#[tokio::test]
async fn a_policy_that_switches_the_tool_off_switches_the_path_off() {
    let mut off = wiki();
    off.policies[0].features.insert(Feature::BrowserAutomation, false);
    let client = Client::with(off);
    let refused = client.fetch("http://wiki.corp/").await;
    assert_eq!((refused.0, kind(&refused)), (403, "policy-refused"));
    assert_eq!(refused.1["rule"], "featureGates.browser-automation");
    assert_eq!(
        client
            .store
            .read(client.plan.run.uid, None, 10)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let mut scene = Scene::new(gateway(fake([])));
    let (_, _, raw) = scene.run();
    let refused = raw.post("/v1/fetch", &json!({"url": "https://a.example/"})).await;
    assert_eq!((refused.0, kind(&refused)), (403, "policy-refused"));
}

#[tokio::test]
async fn a_page_that_can_not_be_recorded_is_not_given() {
    let web = Web::start(|_| vec![("/", page("text/plain", "x"))]).await;
    let names = Names(BTreeMap::from([("wiki.corp", IpAddr::from([127, 0, 0, 1]))]));
    let client = GuardedClient::with_resolver(AddressRules::public_only(), Arc::new(names)).unwrap();
    let failing = Arc::new(sympozium_core::testing::FailingStore);
    let stores = Stores {
        audit: failing,
        ..Stores::all(Arc::new(InMemoryStore::new()))
    };
    let fetcher = Fetcher::new(&client, FetchSettings::default()).unwrap();
    let mut scene = Scene::new(gateway(fake([])).stores(stores).fetcher(fetcher));
    let raw = Raw::new(&scene.open(&wiki()));
    let refused = raw
        .post("/v1/fetch", &json!({"url": web.url("wiki.corp", "/")}))
        .await;
    assert_eq!((refused.0, kind(&refused)), (503, "store-unavailable"));
}

#[tokio::test]
async fn a_run_fetches_through_its_own_client() {
    let web = Web::start(|_| vec![("/", page("text/plain", "words"))]).await;
    let names = Names(BTreeMap::from([("wiki.corp", IpAddr::from([127, 0, 0, 1]))]));
    let client = GuardedClient::with_resolver(AddressRules::public_only(), Arc::new(names)).unwrap();
    let fetcher = Fetcher::new(&client, FetchSettings::default()).unwrap();
    let mut scene = Scene::new(gateway(fake([])).fetcher(fetcher));
    let client = crate::scene::client(&scene.open(&wiki()));
    let wanted = |url| FetchRequest {
        url,
        headers: BTreeMap::new(),
        max_chars: Some(3),
    };
    let answer = tokio::time::timeout(DEADLINE, client.fetch(&wanted(web.url("wiki.corp", "/"))))
        .await
        .unwrap();
    let page = answer.unwrap();
    assert_eq!((page.text.as_str(), page.cut_chars), ("wor", 2));
    let refused = client
        .fetch(&wanted("http://127.0.0.1/".to_owned()))
        .await
        .unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
}
