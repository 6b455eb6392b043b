//! `/healthz`, `/readyz` and `/metrics`: [`serve`].

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::SocketAddr;
use sympozium_k8s::operator::Health;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Shown {
    health: watch::Receiver<Health>,
    metrics: PrometheusHandle,
}

/// Serves until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    health: watch::Receiver<Health>,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = router(Shown { health, metrics });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// Takes the address.
pub(super) async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

fn router(shown: Shown) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shown)
}

/// An operator that waits to lead is ready too: it can take over at any time.
async fn ready(State(shown): State<Shown>) -> (StatusCode, &'static str) {
    let health = *shown.health.borrow();
    match (health.ready, health.leads) {
        (true, true) => (StatusCode::OK, "leads\n"),
        (true, false) => (StatusCode::OK, "waits to lead\n"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "its caches are not filled\n"),
    }
}

async fn metrics(State(shown): State<Shown>) -> String {
    shown.metrics.render()
}
