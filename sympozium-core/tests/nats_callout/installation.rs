//! A server, a callout, and principals with tokens in files.

use async_trait::async_trait;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::auth::AuthError;
use sympozium_core::bus::nats::callout::{
    BusAuthenticator, CalloutKeys, CalloutService, CalloutSettings, Grant, TlsFiles, server_block,
};
use sympozium_core::bus::nats::{Credential, NatsBus, NatsSettings, Readers, StreamLimits};
use sympozium_core::bus::{BusError, Envelope, Principal, Source, Subject, Topic};
use sympozium_core::channel::ChannelKind;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::testing::NatsServer;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const MIB: u64 = 1024 * 1024;

pub(crate) const LIMITS: StreamLimits = StreamLimits {
    work_bytes: 64 * MIB,
    watch_bytes: 16 * MIB,
    dead_bytes: 16 * MIB,
    replicas: 1,
};

/// Tokens and whose they are; a token of nobody's is refused.
#[derive(Default)]
pub(crate) struct Tokens {
    known: Mutex<BTreeMap<String, Result<Grant, ()>>>,
    pub(crate) asked: AtomicUsize,
}

impl Tokens {
    pub(crate) fn know(&self, token: &str, principal: Principal) {
        let expires = Timestamp::now() + SignedDuration::from_hours(1);
        self.know_until(token, principal, expires);
    }

    pub(crate) fn know_until(&self, token: &str, principal: Principal, expires: Timestamp) {
        let grant = Grant { principal, expires };
        self.known.lock().unwrap().insert(token.to_owned(), Ok(grant));
    }

    /// From now on, whoever presents this token belongs to a run that has ended.
    pub(crate) fn end(&self, token: &str) {
        self.known.lock().unwrap().insert(token.to_owned(), Err(()));
    }
}

#[async_trait]
impl BusAuthenticator for Tokens {
    async fn authenticate(&self, token: &SecretString) -> Result<Grant, AuthError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.known.lock().unwrap().get(token.expose_secret()) {
            Some(Ok(grant)) => Ok(grant.clone()),
            Some(Err(())) => Err(AuthError::RunEnded),
            None => Err(AuthError::Unauthenticated),
        }
    }
}

pub(crate) struct Running {
    pub(crate) service: Arc<CalloutService>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), BusError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.task).await;
        ended.expect("the callout ends in time").unwrap().unwrap();
    }
}

pub(crate) struct Installation {
    pub(crate) server: NatsServer,
    pub(crate) keys: CalloutKeys,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Installation {
    pub(crate) fn start() -> Self {
        let keys = CalloutKeys::generate().unwrap();
        Self {
            server: NatsServer::start(&server_block(keys.public(), None)),
            keys,
            tokens: Arc::default(),
            ca_file: None,
        }
    }

    /// The same over TLS, with an authority of its own.
    pub(crate) fn start_with_tls() -> Self {
        let mut installation = Self::start();
        let dir = installation.server.dir().to_path_buf();
        let write = |name: &str, text: String| {
            std::fs::write(dir.join(name), text).unwrap();
            dir.join(name)
        };
        let authority = authority();
        let leaf_key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let leaf = rcgen::CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &authority.1).unwrap();
        let files = TlsFiles {
            certificate: write("tls.crt", leaf.pem()),
            key: write("tls.key", leaf_key.serialize_pem()),
        };
        installation.ca_file = Some(write("ca.crt", authority.0));
        let block = server_block(installation.keys.public(), Some(&files));
        installation.server.configure(&block);
        installation.server.restart();
        installation
    }

    pub(crate) async fn callout(&self, lifetime: Duration) -> Running {
        let settings = CalloutSettings {
            servers: self.server.url(),
            ca_file: self.ca_file.clone(),
            concurrency: 4,
            lifetime,
        };
        let tokens: Arc<dyn BusAuthenticator> = self.tokens.clone();
        let service = CalloutService::connect(settings, &self.keys, tokens)
            .await
            .unwrap();
        let service = Arc::new(service);
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (service, stop) = (Arc::clone(&service), stop.clone());
            async move { service.run(&stop).await }
        });
        Running { service, stop, task }
    }

    /// Writes a token into the file of a principal.
    pub(crate) fn token_file(&self, principal: &Principal, token: &str) -> PathBuf {
        let path = self.server.dir().join(format!("token-{}", principal.pod()));
        std::fs::write(&path, token).unwrap();
        path
    }

    /// How a principal connects that has a token of its own, which is known.
    pub(crate) fn settings(&self, principal: &Principal) -> NatsSettings {
        let token = format!("token-of-{}", principal.pod());
        self.tokens.know(&token, principal.clone());
        NatsSettings {
            servers: self.server.url(),
            name: principal.name(),
            inbox: principal.pod().to_string(),
            credential: Credential::TokenFile(self.token_file(principal, &token)),
            ca_file: self.ca_file.clone(),
            readers: match principal {
                Principal::Operator { .. } | Principal::ApiServer { .. } => {
                    Readers::Own { forget_after: None }
                }
                Principal::Bridge { .. } | Principal::Channel { .. } => Readers::Prepared,
            },
            deadline: Duration::from_secs(10),
        }
    }

    pub(crate) async fn connect(&self, principal: &Principal) -> NatsBus {
        // A callout that has just been started may not have subscribed yet.
        let connected = async {
            loop {
                if let Ok(bus) = NatsBus::connect(self.settings(principal)).await {
                    break bus;
                }
            }
        };
        tokio::time::timeout(DEADLINE, connected).await.unwrap()
    }

    pub(crate) async fn operator(&self) -> NatsBus {
        let bus = self.connect(&operator()).await;
        bus.ensure_streams(&LIMITS).await.unwrap();
        bus
    }
}

/// An authority: its certificate as PEM, and what it signs with.
fn authority() -> (String, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, rcgen::Issuer::new(params, key))
}

pub(crate) fn instance(name: &str) -> InstanceRef {
    InstanceRef {
        namespace: Namespace::new("team").unwrap(),
        name: InstanceName::new(name).unwrap(),
    }
}

pub(crate) fn bridge() -> Principal {
    Principal::Bridge {
        instance: instance("sre"),
        run: RunUid::random(),
        pod: Uuid::new_v4(),
    }
}

pub(crate) fn channel() -> Principal {
    Principal::Channel {
        instance: instance("sre"),
        kind: ChannelKind::Slack,
        pod: Uuid::new_v4(),
    }
}

pub(crate) fn operator() -> Principal {
    Principal::Operator { pod: Uuid::new_v4() }
}

/// The run of a bridge.
pub(crate) fn run_of(principal: &Principal) -> RunUid {
    let Principal::Bridge { run, .. } = principal else {
        panic!("{principal:?} is no bridge")
    };
    *run
}

/// What a run says.
pub(crate) fn said(run: RunUid, topic: Topic) -> Envelope {
    let instance = instance("sre");
    Envelope {
        id: Uuid::new_v4().to_string(),
        source: Source::Run(instance.namespace.clone(), run),
        subject: Subject::new(instance, topic, run.to_string()).unwrap(),
        time: Timestamp::UNIX_EPOCH,
        traceparent: None,
        data: json!({}),
    }
}

/// Subscribes without the bus, and says what the server says of it: None when nothing is refused.
pub(crate) async fn refusal_of_subscription(raw: &Raw, subject: &str) -> Option<String> {
    let _subscription = raw.client.subscribe(subject.to_owned()).await.unwrap();
    raw.refusal().await
}

/// A client without our bus, and what its server complains of.
pub(crate) struct Raw {
    pub(crate) client: async_nats::Client,
    errors: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<String>>,
}

impl Raw {
    pub(crate) async fn connect(installation: &Installation, principal: &Principal) -> Self {
        let settings = installation.settings(principal);
        let Credential::TokenFile(path) = settings.credential else {
            panic!("a principal has a token file")
        };
        let (sender, errors) = tokio::sync::mpsc::channel(64);
        let client = async_nats::ConnectOptions::with_token(std::fs::read_to_string(path).unwrap())
            .custom_inbox_prefix(format!("_INBOX.{}", settings.inbox))
            .event_callback(move |event| {
                let sender = sender.clone();
                async move {
                    if let async_nats::Event::ServerError(error) = event {
                        sender.send(error.to_string()).await.unwrap();
                    }
                }
            })
            .connect(settings.servers)
            .await
            .unwrap();
        Self {
            client,
            errors: errors.into(),
        }
    }

    /// What the server complained of, up to now.
    pub(crate) async fn refusal(&self) -> Option<String> {
        // The server answers a ping after all that came before it; the event then takes the way through the client.
        self.client.flush().await.unwrap();
        let probe = format!("_INBOX.{}", Uuid::new_v4());
        self.client.publish(probe.clone(), "".into()).await.unwrap();
        self.client.flush().await.unwrap();
        let mut errors = self.errors.lock().await;
        let mut found = None;
        loop {
            let error = tokio::time::timeout(DEADLINE, errors.recv())
                .await
                .unwrap()
                .unwrap();
            if error.contains(&probe) {
                return found;
            }
            found = Some(error);
        }
    }

    /// Ends the connection.
    pub(crate) async fn close(self) {
        self.client.drain().await.unwrap();
    }
}

/// The next delivery of a subscription.
pub(crate) async fn next(
    deliveries: &mut futures::stream::BoxStream<'static, Result<sympozium_core::bus::Delivery, BusError>>,
) -> sympozium_core::bus::Delivery {
    let next = tokio::time::timeout(DEADLINE, deliveries.next()).await;
    next.expect("a delivery comes in time").unwrap().unwrap()
}
