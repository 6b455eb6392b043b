//! What the service is put together from, and in which order it starts and ends.

use super::{Config, bus};
use anyhow::Context;
use kube::Client;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::Path;
use std::sync::Arc;
use sympozium_core::store::sql::SqlStore;
use sympozium_k8s::identity::{
    AuthenticatorSettings, Ended, LiveRuns, LiveSettings, SecretKeys, TokenReviewAuthenticator,
};
use sympozium_llm::gateway::{
    ApiServer, Farewell, FetchSettings, Fetcher, Gateway, KeyedProviders, PriceTable, Proxy, ProxySettings,
    ServerTls, Stores,
};
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::ProviderRegistry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serves until SIGTERM or SIGINT.
pub(super) async fn until_told(config: Config) -> anyhow::Result<()> {
    // One provider of cryptography for all: whichever library asks first must not choose another one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("record metrics")?;
    let client = Client::try_default().await.context("find the API server")?;
    let stop = when_told()?;
    Box::pin(serve(config, client, Some(metrics), stop)).await
}

/// Serves until `stop`, and then leaves in good order.
pub async fn serve(
    config: Config,
    client: Client,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let store = SqlStore::postgres(&config.database_url)
        .await
        .context("open the database in DATABASE_URL")?;
    let tls = ServerTls::from_files(&config.tls_cert, &config.tls_key).await?;
    let settings = LiveSettings {
        system_namespace: config.namespace.clone(),
        ..LiveSettings::default()
    };
    let bus_keys = config.bus().map(|bus| bus::keys(&bus.keys)).transpose()?;
    let (runs, ended) = LiveRuns::new(client.clone(), settings);
    let authenticator = Arc::new(authenticator(&config, &client, Arc::clone(&runs)));
    let gateway = gateway(&config, &client, &store, Arc::clone(&authenticator), metrics)?;
    let watching = CancellationToken::new();
    let watch = runs.run(watching.clone());
    let end = end_runs(ended, gateway.clone(), watching.clone());
    let questions = async {
        if let (Some(bus), Some(keys)) = (config.bus(), bus_keys) {
            bus::answer(bus, keys, authenticator, watching.clone()).await;
        }
    };
    let work = async {
        let done = listen(&config, &gateway, &runs, &tls, stop).await;
        watching.cancel();
        done
    };
    let (done, (), (), ()) = tokio::join!(work, watch, end, questions);
    store.close().await;
    done
}

fn authenticator(config: &Config, client: &Client, runs: Arc<LiveRuns>) -> TokenReviewAuthenticator {
    let settings = AuthenticatorSettings {
        grace: config.bus_grace,
        system_namespace: config.namespace.clone(),
        ..AuthenticatorSettings::default()
    };
    TokenReviewAuthenticator::new(client.clone(), runs, settings)
}

fn gateway(
    config: &Config,
    client: &Client,
    store: &SqlStore,
    authenticator: Arc<TokenReviewAuthenticator>,
    metrics: Option<PrometheusHandle>,
) -> anyhow::Result<Gateway> {
    let rules = config
        .private_providers
        .iter()
        .fold(AddressRules::public_only(), |rules, net| rules.allow_net(*net));
    let http = GuardedClient::new(rules)?;
    let keys = Arc::new(SecretKeys::new(client.clone()));
    let providers = KeyedProviders::new(ProviderRegistry::standard(), http.clone(), keys);
    let proxy = Proxy::new(ProxySettings {
        api_server: Some(ApiServer::new(&config.api_server_host, config.api_server_port)),
        ..ProxySettings::default()
    });
    let builder = Gateway::builder()
        .providers(Arc::new(providers))
        .stores(Stores::all(Arc::new(store.clone())))
        .authenticate(authenticator)
        .prices(prices(config.prices.as_deref())?)
        .fetcher(Fetcher::new(&http, FetchSettings::default())?)
        .proxy(proxy);
    let builder = match metrics {
        Some(metrics) => builder.metrics(move || {
            metrics.run_upkeep();
            metrics.render()
        }),
        None => builder,
    };
    Ok(builder.build()?)
}

/// What models cost.
fn prices(path: Option<&Path>) -> anyhow::Result<PriceTable> {
    let Some(path) = path else {
        return Ok(PriceTable::default());
    };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("read the prices in {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("understand the prices in {}", path.display()))
}

/// Listens once all runs and policies are known: a gateway that answers is ready.
async fn listen(
    config: &Config,
    gateway: &Gateway,
    runs: &LiveRuns,
    tls: &ServerTls,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = runs.complete() => {}
        () = stop.cancelled() => return Ok(()),
    }
    let bind = async |address| {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address}"))
    };
    let (listener, health) = (bind(config.listen).await?, bind(config.health_listen).await?);
    tracing::info!(listen = %config.listen, health = %config.health_listen, runs = runs.count(), "ready");
    let closed = CancellationToken::new();
    let farewell = Farewell {
        notice: config.drain_notice,
        patience: config.drain_patience,
    };
    let leave = async {
        tokio::select! {
            () = stop.cancelled() => {
                tracing::info!("leaving");
                gateway.retire(farewell).await;
            }
            // One of the listeners gave up.
            () = closed.cancelled() => {}
        }
        closed.cancel();
    };
    let serve = async {
        let ended = gateway.serve_tls(listener, tls, closed.clone()).await;
        closed.cancel();
        ended
    };
    let watch_over = async {
        let ended = gateway.serve_health(health, closed.clone()).await;
        closed.cancel();
        ended
    };
    let (served, watched, ()) = tokio::join!(serve, watch_over, leave);
    gateway.drain().await;
    served.and(watched).context("serve")
}

/// Ends runs in the gateway as soon as the watch says that they have ended.
async fn end_runs(mut ended: Ended, gateway: Gateway, cancel: CancellationToken) {
    loop {
        tokio::select! {
            run = ended.recv() => match run {
                Some(run) => gateway.end_run(run),
                None => return,
            },
            () = cancel.cancelled() => return,
        }
    }
}

/// Cancelled by SIGTERM or SIGINT. The task that waits for signals ends with the program.
fn when_told() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
