//! The way out of skills: an HTTP `CONNECT` forward proxy. TLS stays between the skill and what it is connected to.
//!
//! A skill presents its own token (`Proxy-Authorization`), which no other container of its pod has. It is connected to the
//! API server if its pack declares rights there, and to the hosts that its pack names as far as every policy allows them.
//! Nothing else inside a network is reachable: a name is looked up once, its addresses are checked, and the connection
//! goes to one of those.
//!
//! | Question | Where |
//! | --- | --- |
//! | who asks? | `credentials`, pure |
//! | may it be connected there? | `target`, pure |
//! | how long, and what passed? | `tunnel` |

mod credentials;
mod settings;
mod target;
mod tunnel;

pub use settings::{ApiServer, ProxySettings};

use super::problem::{self, Answer};
use super::runs::RunClock;
use super::turn::audit;
use super::{Gateway, meter, runs};
use crate::http::{AddressRules, ConnectError, Reach, Resolve, SystemResolver, connect as open};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use sympozium_core::auth::{Caller, Credentials, Principal, Purpose};
use sympozium_core::error::chain;
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ids::{PackName, RunUid};
use sympozium_core::run::RunPlan;
use sympozium_core::skill::HostPort;
use sympozium_core::store::AuditKind;
use target::Route;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tunnel::{Bounds, End, Passed, pass};

/// The way out of skills.
pub struct Proxy {
    settings: ProxySettings,
    resolver: Arc<dyn Resolve>,
    /// Tunnels by run.
    open: Arc<Mutex<HashMap<RunUid, usize>>>,
}

impl Proxy {
    /// A proxy that asks the machine's resolver.
    pub fn new(settings: ProxySettings) -> Self {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// A proxy that looks names up in a way of its own.
    pub fn with_resolver(settings: ProxySettings, resolver: Arc<dyn Resolve>) -> Self {
        Self {
            settings,
            resolver,
            open: Arc::default(),
        }
    }

    /// A place for a tunnel of this run.
    fn place(&self, run: RunUid) -> Result<Place, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&run).copied().unwrap_or(0);
        if all >= self.settings.at_once || own >= self.settings.per_run {
            let mut problem = Problem::new(
                ProblemKind::RateLimited,
                "Too many connections are open; try again when one has ended.",
            );
            problem.retry_after_ms = Some(1_000);
            return Err(problem);
        }
        open.insert(run, own + 1);
        meter::tunnels(1.0);
        Ok(Place {
            open: Arc::clone(&self.open),
            run,
        })
    }

    async fn reach(&self, route: &Route) -> Result<TcpStream, Problem> {
        let (target, reach) = match (route, &self.settings.api_server) {
            (Route::Public(target), _) => (target, Reach::Public(AddressRules::public_only())),
            (Route::ApiServer, Some(server)) => (&server.at, Reach::Listed),
            (Route::ApiServer, None) => {
                return Err(Problem::new(ProblemKind::Internal, "There is no API server."));
            }
        };
        open(self.resolver.as_ref(), target, &reach)
            .await
            .map_err(|error| match error {
                ConnectError::Refused(refused) => Problem::new(
                    ProblemKind::EgressRefused,
                    format!("{} is not reached from here: {}.", refused.url, refused.detail),
                ),
                failed @ (ConnectError::Failed { .. } | ConnectError::TooLate { .. }) => Problem::new(
                    ProblemKind::FetchFailed,
                    format!("No connection: {}.", chain(&failed)),
                ),
            })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One of the tunnels that there may be; free again when dropped.
struct Place {
    open: Arc<Mutex<HashMap<RunUid, usize>>>,
    run: RunUid,
}

impl Drop for Place {
    fn drop(&mut self) {
        meter::tunnels(-1.0);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.run) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Who wants a tunnel.
struct Asker {
    plan: Arc<RunPlan>,
    pack: PackName,
    clock: RunClock,
}

/// Answers a CONNECT request.
pub(super) async fn connect(
    gateway: &Gateway,
    peer: Option<IpAddr>,
    request: hyper::Request<Incoming>,
) -> Response {
    match tunnel(gateway, peer, request).await {
        Ok(()) => Response::new(Body::empty()),
        Err(refused) => {
            meter::tunnel_refused(refused.kind);
            refusal(refused)
        }
    }
}

/// A refusal as an answer. Whoever is not known is asked for credentials in the way that clients of proxies know.
fn refusal(mut refused: Problem) -> Response {
    let unknown = refused.kind == ProblemKind::Unauthenticated;
    if unknown {
        refused.status = StatusCode::PROXY_AUTHENTICATION_REQUIRED.as_u16();
    }
    let mut response = Answer(refused).into_response();
    if unknown {
        response.headers_mut().insert(
            header::PROXY_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"sympozium\""),
        );
    }
    response
}

async fn tunnel(
    gateway: &Gateway,
    peer: Option<IpAddr>,
    request: hyper::Request<Incoming>,
) -> Result<(), Problem> {
    let inner = &gateway.inner;
    let Some(proxy) = &inner.parts.proxy else {
        return Err(Problem::new(ProblemKind::NotFound, "There is no proxy here."));
    };
    inner.course.admit()?;
    let asker = ask(gateway, peer, &request).await?;
    let target = target::target(request.uri())?;
    let place = proxy.place(asker.plan.run.uid)?;
    let opened = async {
        let (route, rule) = target::route(
            &asker.plan,
            &asker.pack,
            &target,
            proxy.settings.api_server.as_ref(),
        )?;
        tokio::select! {
            stream = proxy.reach(&route) => stream.map(|stream| (stream, rule)),
            () = asker.clock.cancel.cancelled() => Err(runs::ended()),
        }
    };
    let opened = opened.await;
    record(gateway, &asker, &target, &opened).await?;
    let (stream, _) = opened?;
    let (idle, longest) = (proxy.settings.idle, proxy.settings.longest);
    let deadline = asker.clock.deadline.min(Instant::now() + longest);
    let own = gateway.clone();
    inner.tunnels.spawn(async move {
        let bounds = Bounds {
            idle,
            deadline,
            run: &asker.clock.cancel,
            gateway: &own.inner.course.over,
        };
        let upgraded = tokio::time::timeout(idle, hyper::upgrade::on(request)).await;
        let (end, passed) = match upgraded {
            Ok(Ok(skill)) => pass(TokioIo::new(skill), stream, bounds).await,
            Ok(Err(_)) | Err(_) => (End::Broken, Passed::default()),
        };
        meter::tunnel(end.as_str(), passed.up, passed.down);
        tracing::debug!(run = %asker.plan.run.uid, pack = %asker.pack, %target, end = end.as_str(),
            up = passed.up, down = passed.down, "a tunnel ended");
        drop(place);
    });
    Ok(())
}

async fn ask(
    gateway: &Gateway,
    peer: Option<IpAddr>,
    request: &hyper::Request<Incoming>,
) -> Result<Asker, Problem> {
    let inner = &gateway.inner;
    let credentials = Credentials {
        bearer: credentials::token(request.headers()),
        purpose: Purpose::Egress,
        peer,
        ..Credentials::default()
    };
    let caller = inner.parts.auth.authenticate(&credentials).await;
    let Caller { plan, principal } = caller.map_err(|error| problem::of_auth(&error))?;
    let Principal::Skill(pack) = principal else {
        return Err(Problem::new(
            ProblemKind::Unauthenticated,
            "An agent's token opens no way out.",
        ));
    };
    let clock = inner.runs.admit(&plan)?;
    Ok(Asker { plan, pack, clock })
}

/// Puts on record who was connected where, or why not.
async fn record(
    gateway: &Gateway,
    asker: &Asker,
    target: &HostPort,
    opened: &Result<(TcpStream, String), Problem>,
) -> Result<(), Problem> {
    let (address, rule, error, detail, policy) = match opened {
        Ok((stream, rule)) => {
            let address = stream.peer_addr().ok().map(|address| address.to_string());
            (address, Some(rule.clone()), None, None, None)
        }
        Err(problem) => (
            None,
            problem.rule.clone(),
            Some(problem.kind),
            Some(problem.detail.clone()),
            problem.policy.clone(),
        ),
    };
    let detail = json!({
        "pack": asker.pack,
        "target": target.to_string(),
        "address": address,
        "policy": policy,
        "rule": rule,
        "error": error,
        "detail": detail,
    });
    audit(&gateway.inner, &asker.plan, AuditKind::Tunnel, detail).await
}
