//! The operator put together, from its start to its end.

use super::config::Config;
use super::health;
use anyhow::Context;
use kube::Client;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::path::Path;
use std::sync::Arc;
use sympozium_core::store::sql::SqlStore;
use sympozium_k8s::objects::{Endpoint, Images, Installation, PullPolicy};
use sympozium_k8s::operator::lead::LeaseSettings;
use sympozium_k8s::operator::{CaBundle, Operator, OperatorBuilder};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs until SIGTERM or SIGINT, and then until all has ended.
pub(super) async fn until_told(config: Config) -> anyhow::Result<()> {
    // Everything here speaks TLS by one provider; without this the first connection would have none.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("record metrics")?;
    let listener = health::listen(config.health_listen)
        .await
        .with_context(|| format!("listen on {}", config.health_listen))?;
    let stop = when_told()?;
    let client = Client::try_default().await.context("find the cluster")?;
    let store = match &config.database_url {
        Some(url) => Some(SqlStore::postgres(url).await.context("open the database")?),
        None => None,
    };
    let builder = with_files(builder(client, &config), &config)?;
    let builder = match &store {
        Some(store) => builder.step_log(Arc::new(store.clone())),
        None => builder,
    };
    let operator = builder.build();
    // Health is told as long as there is anything to tell.
    let served = CancellationToken::new();
    let health = tokio::spawn(health::serve(
        listener,
        operator.health(),
        metrics,
        served.clone(),
    ));
    operator.run(stop).await;
    served.cancel();
    health
        .await
        .context("join the health server")?
        .context("serve health")?;
    if let Some(store) = store {
        store.close().await;
    }
    Ok(())
}

fn builder(client: Client, config: &Config) -> OperatorBuilder {
    let installation = Installation {
        namespace: config.namespace.clone(),
        images: Images {
            runner: config.runner_image.clone(),
            bridge: config.bridge_image.clone(),
            sandbox: config.sandbox_image.clone(),
        },
        pull_policy: PullPolicy::default(),
        gateway: Endpoint {
            host: config.gateway_host.clone(),
            ip: config.gateway_ip,
            port: config.gateway_port,
        },
        bus: Endpoint {
            host: config.bus_host.clone(),
            ip: config.bus_ip,
            port: config.bus_port,
        },
        api_audience: config.api_audience.clone(),
    };
    let builder = Operator::builder(client, installation)
        .lease(LeaseSettings::new(config.namespace.as_str(), &config.pod_name))
        .history_limit(config.history_limit)
        .workers(config.workers);
    match &config.watch_namespace {
        Some(namespace) => builder.namespace(namespace.as_str()),
        None => builder,
    }
}

fn with_files(builder: OperatorBuilder, config: &Config) -> anyhow::Result<OperatorBuilder> {
    let (Some(own), Some(cluster)) = (&config.ca, &config.cluster_ca) else {
        return Ok(builder);
    };
    Ok(builder.certificates(CaBundle {
        own: read(own)?,
        cluster: read(cluster)?,
    }))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn when_told() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = told.cancelled() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
