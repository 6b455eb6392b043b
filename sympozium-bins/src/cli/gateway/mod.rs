//! `sympozium gateway serve`: the gateway by itself, for other programs on this machine.

mod args;
mod token;

pub(super) use args::GatewayArgs;

use super::choice::{Choice, Documents};
use super::config::Config;
use super::failure::{Exit, Failure};
use super::objects::Objects;
use super::output;
use super::planning::{Planned, Sources, Wishes, plans};
use super::providers::{self, ByRun};
use super::run::{Interrupts, fetcher, policies};
use super::{block_on, stores};
use args::{GatewayCommand, ServeArgs};
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::ids::RunUid;
use sympozium_core::run::RunPlan;
use sympozium_core::store::sql::SqlStore;
use sympozium_llm::gateway::{Gateway, ServeError, Stores, TokenAuth};
use token::Token;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long calls may take to end once the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Does what the flags say.
pub(super) fn command(args: &GatewayArgs, config: &Config) -> Result<Exit, Failure> {
    let GatewayCommand::Serve(args) = &args.command;
    if !args.listen.ip().is_loopback() {
        return Err(Failure::input(format!(
            "{} can be reached by others, and there is no TLS here: listen on a loopback address, and put a proxy in front.",
            args.listen
        )));
    }
    let token = Token::find(args.token_file.as_deref(), config)?;
    let objects = Objects::read(&args.files)?;
    let choice = args.model.choose(config, Documents::of(&objects))?;
    let planned = planned(args, config, &choice, &objects)?;
    let mut providers = ByRun::default();
    providers.add(&planned.plan, &choice, &objects, config)?;
    block_on(async {
        let store = stores::open(config).await?;
        let done = serve(args, planned, providers, &token, &store).await;
        store.close().await;
        done
    })
}

/// What the holder of the token may do: a run that does not end.
fn planned(
    args: &ServeArgs,
    config: &Config,
    choice: &Choice,
    objects: &Objects,
) -> Result<Planned, Failure> {
    if !objects.runs.is_empty() {
        return Err(Failure::input(
            "An AgentRun can't be served: give an instance, policies and Secrets.",
        ));
    }
    let policies = policies(&args.model.policies)?;
    let wishes = Wishes {
        task: Some("Serve other programs.".to_owned()),
        instance: config.instance(args.instance.as_deref())?,
        provider: choice.provider.clone(),
        model: choice.model.clone(),
        base_url: choice.base_url.clone(),
        session: None,
        memory: false,
        timeout: None,
        sandbox: false,
        keyless: choice.keyless,
    };
    let sources = Sources {
        objects,
        policies: &policies,
        skills: &[],
    };
    let mut planned = plans(&wishes, sources, RunUid::random)?
        .pop()
        .ok_or_else(|| Failure::failed("There is nothing to serve."))?;
    planned.plan.limits.timeout = Duration::MAX;
    Ok(planned)
}

async fn serve(
    args: &ServeArgs,
    planned: Planned,
    providers: ByRun,
    token: &Token,
    store: &SqlStore,
) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let plan = Arc::new(planned.plan);
    let caller = TokenAuth::new(&token.secret, plan.clone());
    let gateway = build(args, providers, caller, store)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::failed(format!("{} can't be listened on: {error}.", args.listen)))?;
    announce(&listener, &plan, planned.holding.is_default, token)?;
    until_told(&gateway, listener, &mut interrupts).await?;
    // What is still under way after its time is given up.
    gateway.end_run(plan.run.uid);
    gateway.drain().await;
    Ok(Exit::Success)
}

fn build(
    args: &ServeArgs,
    providers: ByRun,
    caller: TokenAuth,
    store: &SqlStore,
) -> Result<Gateway, Failure> {
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| Failure::failed(format!("Metrics can't be recorded: {error}.")))?;
    Gateway::builder()
        .providers(Arc::new(providers))
        .stores(Stores::all(Arc::new(store.clone())))
        .authenticate(Arc::new(caller))
        .prices(providers::prices(args.model.prices.as_deref())?)
        .fetcher(fetcher()?)
        .metrics(move || {
            metrics.run_upkeep();
            metrics.render()
        })
        .build()
        .map_err(|error| Failure::failed(format!("The gateway can't be made: {error}.")))
}

/// Serves until somebody wishes it to end; then calls that are under way have a moment, unless that wish comes again.
async fn until_told(
    gateway: &Gateway,
    listener: TcpListener,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    let stopped = |error: ServeError| Failure::failed(format!("The gateway stopped: {}.", chain(&error)));
    let stop = CancellationToken::new();
    let serving = gateway.serve_tcp(listener, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map_err(stopped),
        () = interrupts.next() => {}
    }
    output::note("Stopping.");
    stop.cancel();
    let ending = async {
        let ended = serving.await;
        gateway.drain().await;
        ended
    };
    tokio::select! {
        ended = tokio::time::timeout(DRAIN, ending) => match ended {
            Ok(ended) => ended.map_err(stopped),
            // The time for it is over.
            Err(_) => Ok(()),
        },
        () = interrupts.next() => Ok(()),
    }
}

/// The first line is for programs, the rest for people.
fn announce(listener: &TcpListener, plan: &RunPlan, is_default: bool, token: &Token) -> Result<(), Failure> {
    let address = listener
        .local_addr()
        .map_err(|error| Failure::failed(format!("The listener has no address: {error}.")))?;
    output::print(&format!("listening on http://{address}\n"))?;
    let policies: Vec<_> = plan
        .policies
        .iter()
        .map(|policy| policy.name.0.as_str())
        .collect();
    let built_in = if is_default {
        " (built in; it allows everything)"
    } else {
        ""
    };
    output::note(&format!(
        "model {}/{} · policy {}{built_in}",
        plan.model.provider,
        plan.model.model,
        policies.join(", ")
    ));
    if token.is_new {
        output::note(&format!(
            "token (shown this once): {}",
            token.secret.expose_secret()
        ));
    }
    Ok(())
}
