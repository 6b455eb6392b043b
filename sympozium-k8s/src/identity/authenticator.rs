//! From a token to a caller. Entry: [`TokenReviewAuthenticator`].

use super::claims::{self, Claims};
use super::live::LiveRuns;
use super::live::index::{Key, Seen, facts, run_of_pod};
use super::memory::{Memory, Question, Recalled};
use super::rate::{Rate, Rates};
use super::review::review;
use super::standing::{For, RunFacts, Standing, standing};
use super::subject::Subject;
use crate::crd::v1alpha1::AgentRun;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sympozium_core::auth::{AuthError, Authenticate, Caller, Credentials, Principal, Purpose};
use sympozium_core::error::BoxError;
use sympozium_core::ids::PackName;
use sympozium_core::run::pod_contract::{BUS_AUDIENCE, EGRESS_AUDIENCE_PREFIX, GATEWAY_AUDIENCE};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The longest that a review counts: a promise, so no setting goes beyond it.
const LONGEST: Duration = Duration::from_secs(30);

/// Bounds of an authenticator.
#[derive(Debug, Clone)]
pub struct AuthenticatorSettings {
    /// How long a review counts; at most 30 s. Default 30 s.
    pub cache: Duration,
    /// How many answers are kept. Default 20,000.
    pub cached: usize,
    /// How many reviews one source may cause at once. Default 20.
    pub burst: u32,
    /// How many more a second. Default 5.
    pub per_second: u32,
    /// How many reviews all sources together may cause a second, and ten times as many at once. Default 100.
    pub all_per_second: u32,
    /// How many reviews may be under way. Default 32.
    pub at_once: usize,
    /// How long a bridge may drain after its run has ended: the pods' `terminationGracePeriodSeconds`. Default 660 s.
    pub grace: Duration,
    /// The namespace of the installation's own programs. Default: `sympozium-system`.
    pub system_namespace: String,
    /// The operator's ServiceAccount there. Default: `sympozium-operator`.
    pub operator: String,
    /// The API server's ServiceAccount there. Default: `sympozium-apiserver`.
    pub api_server: String,
}

impl Default for AuthenticatorSettings {
    fn default() -> Self {
        Self {
            cache: LONGEST,
            cached: 20_000,
            burst: 20,
            per_second: 5,
            all_per_second: 100,
            at_once: 32,
            grace: Duration::from_mins(11),
            system_namespace: "sympozium-system".to_owned(),
            operator: "sympozium-operator".to_owned(),
            api_server: "sympozium-apiserver".to_owned(),
        }
    }
}

/// On whose behalf the API server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An address.
    Address(IpAddr),
    /// Where no address is known: the pod that the token says it is bound to.
    Pod(Uuid),
}

/// The time. Tests bring their own.
type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Knows callers by their pods' tokens.
///
/// Shape, audience and expiry are checked before anybody is asked; then the API server reviews the token, within bounds for
/// each source; then the run that the token's pod belongs to must go on, which the watch says anew each time.
pub struct TokenReviewAuthenticator {
    client: Client,
    runs: Arc<LiveRuns>,
    pub(super) settings: AuthenticatorSettings,
    memory: Mutex<Memory>,
    rates: Mutex<Rates<Source>>,
    free: Semaphore,
    now: Now,
}

/// A genuine token, and the run whose pod it is bound to.
pub(super) struct Known {
    pub(super) subject: Subject,
    pub(super) expires: Timestamp,
}

impl TokenReviewAuthenticator {
    /// Has tokens reviewed with this client, for these runs.
    pub fn new(client: Client, runs: Arc<LiveRuns>, settings: AuthenticatorSettings) -> Self {
        Self::with_clock(client, runs, settings, Arc::new(Timestamp::now))
    }

    /// As [`new`](Self::new), with a clock of its own.
    pub fn with_clock(
        client: Client,
        runs: Arc<LiveRuns>,
        settings: AuthenticatorSettings,
        now: Now,
    ) -> Self {
        let keep = SignedDuration::try_from(settings.cache.min(LONGEST)).unwrap_or_default();
        let rate = |burst: u32, per_second: u32| Rate {
            burst: f64::from(burst),
            per_second: f64::from(per_second),
        };
        let each = rate(settings.burst, settings.per_second);
        let all = rate(
            settings.all_per_second.saturating_mul(10),
            settings.all_per_second,
        );
        Self {
            client,
            runs,
            memory: Mutex::new(Memory::new(settings.cached, keep)),
            rates: Mutex::new(Rates::new(each, all)),
            free: Semaphore::new(settings.at_once),
            settings,
            now,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place among those on whose behalf the API server may be asked.
    fn may_ask(&self, source: Source) -> Result<(), AuthError> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.take(source, self.now()) {
            Ok(())
        } else {
            Err(AuthError::TooMany)
        }
    }

    /// Whose token it is, as the API server says now or said a moment ago.
    pub(super) async fn genuine(
        &self,
        token: &SecretString,
        claims: &Claims,
        audience: &str,
        source: Source,
    ) -> Result<Known, AuthError> {
        let question = question(token, audience);
        let known = |subject: Subject| Known {
            subject,
            expires: claims.expires,
        };
        match self.memory().recall(&question, self.now()) {
            Recalled::Genuine(subject) => return Ok(known(subject)),
            Recalled::NotGenuine => return Err(AuthError::Unauthenticated),
            Recalled::Nothing => {}
        }
        self.may_ask(source)?;
        let _free = self.free.acquire().await.map_err(unavailable)?;
        // Whoever waited may have been answered meanwhile.
        if let Recalled::Genuine(subject) = self.memory().recall(&question, self.now()) {
            return Ok(known(subject));
        }
        let answer = review(&self.client, token, audience).await.map_err(unavailable)?;
        // The claims were only believed so far; the pod has to be the one that was reviewed.
        let answer = answer.filter(|subject| subject.pod == claims.pod);
        self.memory()
            .keep(question, answer.clone(), claims.expires, self.now());
        answer.map(known).ok_or(AuthError::Unauthenticated)
    }

    /// The run of a genuine token's pod, if it goes on for this purpose.
    pub(super) async fn run_of(
        &self,
        subject: &Subject,
        purpose: For,
        source: Source,
    ) -> Result<Arc<AgentRun>, AuthError> {
        let with_facts = |run: Arc<AgentRun>| {
            let facts = facts(&run);
            (Some(run), Some(facts))
        };
        let (run, facts) = match self.runs.of_pod(subject.pod) {
            Seen::Run(run) => with_facts(run),
            Seen::Gone(_) if purpose == For::Gateway => return Err(AuthError::RunEnded),
            Seen::Gone(key) => self.asked(&key, source).await?,
            Seen::Unknown => {
                let name = run_of_pod(&subject.pod_name).ok_or(AuthError::Unauthenticated)?;
                let key = (subject.namespace.to_string(), name.to_owned());
                match self.without_pod(&key) {
                    Some(run) => with_facts(run),
                    None => self.asked(&key, source).await?,
                }
            }
        };
        match (standing(subject.pod, facts, purpose, self.now()), run) {
            (Standing::Live, Some(run)) => Ok(run),
            (Standing::NotReady, _) => Err(AuthError::NotReady),
            (Standing::Ended, _) => Err(AuthError::RunEnded),
            (Standing::Stranger, _) | (Standing::Live, None) => Err(AuthError::Unauthenticated),
        }
    }

    /// The run of that name, when it is in the cache and names no pod yet.
    fn without_pod(&self, key: &Key) -> Option<Arc<AgentRun>> {
        let run = self.runs.named(key)?;
        facts(&run).pod.is_none().then_some(run)
    }

    /// Absence from a cache is no evidence: the API server is asked, once.
    async fn asked(
        &self,
        key: &Key,
        source: Source,
    ) -> Result<(Option<Arc<AgentRun>>, Option<RunFacts>), AuthError> {
        self.may_ask(source)?;
        let found = self.runs.ask(key).await;
        let found = found.map_err(|source| AuthError::Unavailable { source })?;
        Ok(match found {
            Some((run, facts)) => (Some(Arc::new(run)), Some(facts)),
            None => (None, None),
        })
    }

    async fn caller(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        let token = credentials.bearer.as_ref().ok_or(AuthError::Unauthenticated)?;
        let claims = claims(token, self.now())?;
        let (audience, principal) = match credentials.purpose {
            Purpose::Agent => (audience(&claims, GATEWAY_AUDIENCE)?, Principal::Agent),
            Purpose::Egress => pack_of(&claims)?,
        };
        let source = source(credentials.peer, &claims);
        let known = self.genuine(token, &claims, &audience, source).await?;
        let run = self.run_of(&known.subject, For::Gateway, source).await?;
        let plan = self
            .runs
            .plan(&run)
            .map_err(|detail| AuthError::Refused { detail })?;
        Ok(Caller { plan, principal })
    }
}

fn question(token: &SecretString, audience: &str) -> Question {
    let mut hash = Sha256::new();
    hash.update(audience.as_bytes());
    hash.update([0]);
    hash.update(token.expose_secret().as_bytes());
    hash.finalize().into()
}

pub(super) fn source(peer: Option<IpAddr>, claims: &Claims) -> Source {
    peer.map_or(Source::Pod(claims.pod), Source::Address)
}

pub(super) fn claims(token: &SecretString, now: Timestamp) -> Result<Claims, AuthError> {
    claims::read(token.expose_secret(), now).map_err(|_| AuthError::Unauthenticated)
}

/// The audience, if the token claims to be for it.
fn audience(claims: &Claims, wanted: &str) -> Result<String, AuthError> {
    if claims.audiences.iter().any(|one| one == wanted) {
        Ok(wanted.to_owned())
    } else {
        Err(AuthError::Unauthenticated)
    }
}

/// The bus's audience, if the token claims to be for it.
pub(super) fn bus_audience(claims: &Claims) -> Result<String, AuthError> {
    audience(claims, BUS_AUDIENCE)
}

/// The one pack that a token claims to be of.
fn pack_of(claims: &Claims) -> Result<(String, Principal), AuthError> {
    let [only] = claims.audiences.as_slice() else {
        return Err(AuthError::Unauthenticated);
    };
    let pack = only
        .strip_prefix(EGRESS_AUDIENCE_PREFIX)
        .and_then(|name| PackName::new(name).ok());
    let pack = pack.ok_or(AuthError::Unauthenticated)?;
    Ok((only.clone(), Principal::Skill(pack)))
}

pub(super) fn unavailable(error: impl Into<BoxError>) -> AuthError {
    AuthError::Unavailable { source: error.into() }
}

#[async_trait]
impl Authenticate for TokenReviewAuthenticator {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        self.caller(credentials).await
    }
}

impl fmt::Debug for TokenReviewAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReviewAuthenticator")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
